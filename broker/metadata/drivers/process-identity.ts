/**
 * Names a process so that another one of the same machine can tell whether it still runs: process ids are reused,
 * so the name carries the start time, and the boot and pid namespace in which the id means anything.
 *
 * Format: "<boot id>/<pid namespace>/<pid>/<start time in ticks since boot>". Without /proc (macOS) only the pid is known.
 */
import { readFileSync, readlinkSync } from 'node:fs'

export function ownIdentity(): string {
  return [bootId(), pidNamespace(), process.pid, startTime(process.pid) ?? ''].join('/')
}

/** True when the process certainly no longer runs; false when it runs or nothing can be said about it from here. */
export function isGone(identity: string): boolean {
  const [boot, namespace, pid, started] = identity.split('/')
  if (boot !== bootId()) return true
  if (namespace !== pidNamespace()) return false
  if (boot === '') return !answersSignals(Number(pid))
  return startTime(Number(pid)) !== started
}

/** Undefined when there is no such process, or only its exit status is left (a zombie). */
function startTime(pid: number): string | undefined {
  const stat = readOrEmpty(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  // The second field, the name in parentheses, may itself hold spaces: count from its end. State is field 3, start time 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return stat === '' || fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

function answersSignals(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function bootId(): string {
  return readOrEmpty(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())
}

function pidNamespace(): string {
  return readOrEmpty(() => readlinkSync('/proc/self/ns/pid'))
}

function readOrEmpty(read: () => string): string {
  try {
    return read()
  } catch {
    return ''
  }
}
