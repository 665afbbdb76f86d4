/**
 * Names a process so that another one of the same machine can tell whether it still runs: process ids are reused,
 * so the name carries the start time, and the boot and pid namespace in which the id means anything.
 *
 * Format: "<boot id>/<pid namespace>/<pid>/<start time in ticks since boot>". Without /proc (macOS) only the pid is known.
 */
import { readlinkSync } from 'node:fs'
import { bootId, startTicks } from '../../runtime/process-start.ts'

export function ownIdentity(): string {
  return [bootId(), pidNamespace(), process.pid, startTicks(process.pid) ?? ''].join('/')
}

/** True when the process certainly no longer runs; false when it runs or nothing can be said about it from here. */
export function isGone(identity: string): boolean {
  const [boot, namespace, pid, started] = identity.split('/')
  if (boot !== bootId()) return true
  if (namespace !== pidNamespace()) return false
  if (boot === '') return !answersSignals(Number(pid))
  return startTicks(Number(pid)) !== started
}

function answersSignals(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}
