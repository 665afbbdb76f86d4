/**
 * Since when a log directory holds all that was appended to it. What was not flushed lies in the memory of the machine:
 * a process that is killed loses nothing of it, a machine that starts anew may. So a directory is complete when it was
 * closed cleanly, or when the machine has not been started since it was used last.
 *
 *   .complete-since   {"bootId":"…","revision":N}: nothing can have been lost since the metadata had this revision, if
 *                     the machine is still in the boot of that id. Absent while it is not known.
 */
import { readFileSync } from 'node:fs'
import { type Files, replaceFile } from './files.ts'

const FILE = '.complete-since'

/** Names the time since the machine was started; undefined where the system does not tell. */
export function bootIdOfMachine(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return undefined
  }
}

export class Completeness {
  /** A revision of the metadata; undefined: records may have been lost just now, in the start of the machine. */
  readonly since: number | undefined
  readonly #files: Files
  readonly #path: string
  readonly #bootId: string | undefined

  /** The directory is locked, and about to be used. */
  constructor(o: { files: Files; directory: string; bootId: string | undefined; stoppedCleanly: boolean }) {
    this.#files = o.files
    this.#path = `${o.directory}/${FILE}`
    this.#bootId = o.bootId
    const last = parse(o.files.readFile(this.#path))
    const isKept = o.stoppedCleanly || (o.bootId !== undefined && last?.bootId === o.bootId)
    this.since = isKept ? last?.revision : undefined
    // Else a clean stop before the directory is complete again would vouch for what the file said before.
    if (this.since === undefined) this.forget()
  }

  /** Says so from now on: everything that the metadata asks of this directory after `revision`, it will have. */
  async confirm(revision: number): Promise<void> {
    const { since = revision } = this
    const content = JSON.stringify({ bootId: this.#bootId ?? '', revision: since })
    await replaceFile(this.#files, this.#path, content)
  }

  /** Nothing is vouched for any more: a write or a flush has failed. */
  forget(): void {
    this.#files.remove(this.#path)
  }
}

function parse(content: Buffer | undefined): { bootId: string; revision: number } | undefined {
  try {
    const { bootId, revision } = JSON.parse(String(content)) as Record<string, unknown>
    return typeof bootId === 'string' && Number.isSafeInteger(revision)
      ? { bootId, revision: revision as number }
      : undefined
  } catch {
    return undefined
  }
}
