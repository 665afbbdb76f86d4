/**
 * Scenarios as text: blocks of a command, a line `----`, and the output that it must give, with blank lines between
 * blocks. Lines that begin with # tell the story. With UPDATE_SCENARIOS=1 the files are written anew with what came
 * out: look at the difference before you believe it.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

interface Block {
  /** What stands before the command, with the comments. */
  readonly story: readonly string[]
  readonly command: string
  readonly expected: string
}

function parseBlock(text: string, file: string): Block {
  const lines = text.split('\n')
  const separator = lines.indexOf('----')
  if (separator < 1) throw new Error(`${file}: a block without a command and a line "----":\n${text}`)
  return {
    story: lines.slice(0, separator - 1),
    command: lines[separator - 1]!,
    expected: lines.slice(separator + 1).join('\n'),
  }
}

function format(blocks: readonly Block[], outputs: readonly string[]): string {
  return blocks
    .map(({ story, command }, index) => [...story, command, '----', outputs[index]].join('\n').trimEnd())
    .join('\n\n')
    .concat('\n')
}

/** One test for each .txt file of `folder`; `createRunner` gives what runs the commands of one file, in order. */
export function testScenarios(folder: string, createRunner: () => (command: string) => string): void {
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.txt'))) {
    const file = path.join(folder, name)
    test(name.replace('.txt', '').replaceAll('-', ' '), () => {
      const text = readFileSync(file, 'utf8')
      const blocks = text
        .trimEnd()
        .split(/\n\n+/)
        .map((block) => parseBlock(block, name))
      const run = createRunner()
      const outputs = blocks.map(({ command }) => run(command))
      if (process.env['UPDATE_SCENARIOS'] === '1') writeFileSync(file, format(blocks, outputs))
      else expect(format(blocks, outputs)).toBe(text)
    })
  }
}
