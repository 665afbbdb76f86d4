/**
 * Which process is meant: its pid and when it started. Pids are used again, by other processes and after a reboot;
 * the pair is not, so a recorded process is never taken for another one, and never killed in its place.
 *
 * Linux: start time in clock ticks since boot (proc(5), stat field 22), with the id of the boot. Elsewhere: ps.
 */
import { execFileSync } from 'node:child_process'
import process from 'node:process'
import { bootId, startTicks } from '../../broker/runtime/process-start.ts'

export interface ProcessIdentity {
  readonly pid: number
  readonly startTime: string
}

/** The process that has this pid now; undefined when there is none, or when it has ended and waits to be reaped. */
export function identify(pid: number): ProcessIdentity | undefined {
  const startTime = process.platform === 'linux' ? linuxStartTime(pid) : psStartTime(pid)
  return startTime === undefined ? undefined : { pid, startTime }
}

export function isRunning(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTime === identity.startTime
}

function linuxStartTime(pid: number): string | undefined {
  const ticks = startTicks(pid)
  return ticks === undefined ? undefined : `${bootId()}:${ticks}`
}

function psStartTime(pid: number): string | undefined {
  try {
    const [state, ...started] = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
    })
      .trim()
      .split(/\s+/)
    return state === undefined || state.startsWith('Z') ? undefined : started.join(' ')
  } catch {
    return undefined
  }
}
