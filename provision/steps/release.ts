/** The release on a host: sent where it is not there, then made the one in use by the rename of a link. */
import * as commands from '../commands/release.ts'
import { HOME } from '../plan.ts'
import type { Release } from '../release.ts'
import { ensureFolder } from './files.ts'
import type { Changes, Node } from './step.ts'

const UPLOAD_TIMEOUT_MS = 30 * 60_000

/** `report` gets a line now and then while the archive is sent, which may take minutes. */
export async function ensureRelease(
  { host }: Node,
  release: Release,
  report: (text: string) => void,
): Promise<Changes> {
  const changes = [...(await ensureFolder(host, HOME, { owner: 'root:root', mode: '0755' }))]
  const found = commands.parseRelease((await host.run(commands.lookAtRelease(HOME, release.id))).stdout)
  if (!found.present) {
    await host.run(commands.unpackRelease(HOME, release.id, release.sha256), {
      stdin: { file: release.file },
      timeoutMs: UPLOAD_TIMEOUT_MS,
      onProgress: everyQuarter(release.sizeBytes, (percent) => report(`${host.name}: ${percent} % sent`)),
    })
    changes.push(`sent release ${release.id}`)
  }
  if (found.current === release.id) return changes
  await host.run(commands.switchRelease(HOME, release.id))
  changes.push(
    `uses release ${release.id}${found.current === undefined ? '' : ` instead of ${found.current}`}`,
  )
  const keep = [release.id, ...(found.current === undefined ? [] : [found.current])]
  const removed = Number((await host.run(commands.pruneReleases(HOME, keep))).stdout)
  return removed === 0 ? changes : [...changes, `removed ${removed} old releases`]
}

/** Not the last one: the step's own line says that it is done. */
function everyQuarter(totalBytes: number, report: (percent: number) => void): (sentBytes: number) => void {
  let next = 0.25
  return (sentBytes) => {
    while (next < 1 && sentBytes >= next * totalBytes) {
      report(next * 100)
      next += 0.25
    }
  }
}
