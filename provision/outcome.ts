/** The commands of `npm run provision`, for hosts and for this machine alike, and what each of them ends with. */

export interface Commands {
  provision(): Promise<Outcome>
  status(): Promise<Outcome>
  stop(): Promise<Outcome>
  /** `yes`: do not ask. */
  destroy(yes: boolean): Promise<Outcome>
  /** The runbook for a broker that refuses its meta.properties (docs/runbooks/meta-properties.md). */
  recoverMeta(node: number): Promise<Outcome>
}

export interface Outcome {
  readonly exitCode: ExitCode
  /** For people, without a newline at its end; '' when the progress lines have said everything. */
  readonly text: string
  /** For `--json`: one object, printed on one line. */
  readonly json: object
}

export const EXIT_CODES = {
  done: 0,
  /** Something failed; standard error says what. */
  failed: 1,
  /** The command line is wrong; nothing was looked at. */
  usage: 2,
  /** status: not everything is well. */
  unwell: 3,
  /** Ended by Ctrl+C or SIGTERM; what was begun was undone. */
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES]

/** The operator ended the command, and what it had begun was undone. */
export class InterruptedError extends Error {
  override name = 'InterruptedError'
}
