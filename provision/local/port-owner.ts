/** Who listens on a TCP port of this machine, for an error message: best effort, from Linux's /proc. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'

const LISTEN = '0A'

const MAX_COMMAND_CHARS = 100

/** `process 4711 (java -jar kafka.jar)`, or undefined where it cannot be known: not Linux, or another user's process. */
export function describePortOwner(port: number): string | undefined {
  try {
    const inodes = listeningInodes(port)
    const pid = readdirSync('/proc').find((entry) => /^\d+$/.test(entry) && holdsSocket(entry, inodes))
    if (pid === undefined) return undefined
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
    return `process ${pid} (${commandLine.slice(0, MAX_COMMAND_CHARS)})`
  } catch {
    return undefined
  }
}

/** The fields of /proc/net/tcp: 1 local address:port in hexadecimal, 3 state, 9 inode. */
function listeningInodes(port: number): Set<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) =>
    readFileSync(table, 'latin1').split('\n'),
  )
  const fields = rows.map((row) => row.trim().split(/\s+/))
  return new Set(fields.filter((row) => row[1]?.endsWith(suffix) && row[3] === LISTEN).map((row) => row[9]!))
}

function holdsSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1]
      return inode !== undefined && inodes.has(inode)
    })
  } catch {
    return false
  }
}
