/** Runs a client program to its end, with a bound on its time, and tells all that it said when it fails. */
import { execa } from 'execa'

export interface RunOptions {
  readonly input?: string
  readonly timeoutMs?: number
  /** What it says on standard error is part of the result. */
  readonly withErrors?: boolean
}

/** Resolves to its standard output; with `withErrors`, to all of its output. */
export async function runProgram(
  program: string,
  args: readonly string[],
  { input, timeoutMs = 30_000, withErrors = false }: RunOptions = {},
): Promise<string> {
  const result = await execa(program, [...args], {
    ...(input === undefined ? { stdin: 'ignore' } : { input }),
    reject: false,
    timeout: timeoutMs,
    all: true,
  })
  if (!result.failed) return withErrors ? result.all : result.stdout
  const said = `Its output: ${result.stdout.slice(-2000)}\nIts errors: ${result.stderr.slice(-4000)}`
  throw new Error(`${result.shortMessage ?? program}\n${said}`)
}
