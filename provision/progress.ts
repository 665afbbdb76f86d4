/**
 * Tells the operator what is going on: a line a step, with its result and time. Colours, and a line for the step
 * under way, only on a terminal.
 */
import { styleText } from 'node:util'

export interface Progress {
  /** Runs one step; `result` gives the text behind its title. Its line appears when it has ended, either way. */
  step<T>(title: string, work: (result: (text: string) => void) => Promise<T>): Promise<T>
  /** A line of its own, outside any step. */
  line(text: string): void
}

/** The part of a stream that is written to. */
export interface Terminal {
  readonly isTTY?: boolean
  write(text: string): unknown
}

const TITLE_WIDTH = 11

export function createProgress(
  output: Terminal,
  monotonicMs: () => number = () => performance.now(),
): Progress {
  const colour = (format: Parameters<typeof styleText>[0], text: string): string =>
    output.isTTY === true ? styleText(format, text, { validateStream: false }) : text
  const clearLine = output.isTTY === true ? '\r\x1b[2K' : ''
  return {
    async step(title, work) {
      const startedAt = monotonicMs()
      const heading = title.padEnd(TITLE_WIDTH)
      let text = ''
      if (output.isTTY === true) output.write(colour('dim', `… ${heading}`))
      const end = (mark: string): void => {
        const seconds = ((monotonicMs() - startedAt) / 1000).toFixed(2)
        output.write(
          `${clearLine}${mark} ${heading} ${text}${text === '' ? '' : '  '}${colour('dim', `${seconds} s`)}\n`,
        )
      }
      try {
        const value = await work((result) => (text = result))
        end(colour('green', '✓'))
        return value
      } catch (error) {
        end(colour('red', '✗'))
        throw error
      }
    },
    line: (text) => void output.write(`${text}\n`),
  }
}

/** Says nothing: for `--json`, where only the result is printed, and for tests. */
export const silentProgress: Progress = {
  step: (_title, work) => work(() => {}),
  line: () => {},
}
