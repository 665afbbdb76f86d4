/** A host without a host: answers commands from a table and remembers them, for steps whose hosts cannot be had here. */
import { commandLine, type Command } from '../../provision/commands/shell.ts'
import type { Host, Output } from '../../provision/host.ts'

export class ScriptedHost implements Host {
  readonly name = 'node 1 (b-1)'
  /** The text of each command that ran, in order. */
  readonly ran: string[] = []
  readonly #answers: readonly (readonly [RegExp, string])[]

  /** A command whose text matches is answered with that output; any other with nothing. */
  constructor(answers: readonly (readonly [RegExp, string])[]) {
    this.#answers = answers
  }

  run(command: Command): Promise<Output> {
    const text = commandLine(command)
    this.ran.push(text)
    const stdout = this.#answers.find(([pattern]) => pattern.test(text))?.[1] ?? ''
    return Promise.resolve({ stdout, stderr: '', exitCode: 0 })
  }

  attempt(command: Command): Promise<Output> {
    return this.run(command)
  }

  hold(command: Command): Promise<() => Promise<void>> {
    return this.run(command).then(() => () => Promise.resolve())
  }

  close(): void {}
}
