/**
 * What some tests need beyond npm's packages: etcd, Java tools, systemd hosts, Terraform. Each is one file of
 * this folder; `tests/run.ts` ensures them all before jest starts, so that a test file merely finds them there.
 */
import path from 'node:path'

/** Where prerequisites keep what they built or downloaded; survives between runs, never committed. */
export const TOOLS_FOLDER = path.resolve(import.meta.dirname, '../../.test-tools')

/** The values (paths, versions) that a test needs of an available prerequisite, or what is missing and why. */
export type Availability<T> =
  | { readonly available: true; readonly value: T }
  | { readonly available: false; readonly missing: string }

export interface Prerequisite<T> {
  readonly name: string
  /** Looks whether it is there, without changing anything. */
  find(): Promise<Availability<T>>
  /** Installs or builds it where that is possible (apt as root, npm, Maven, Go), and looks again. Idempotent. */
  ensure(report: (line: string) => void): Promise<Availability<T>>
}
