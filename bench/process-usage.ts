/** What a process uses, as Linux counts it: processor time, resident memory, how long ago it was started. */
import { readFileSync } from 'node:fs'

/** Of /proc's times; the same on every Linux that we know. */
const TICKS_PER_SECOND = 100

/** Fields of /proc/PID/stat by their number in proc(5). The name in front may hold blanks and parentheses. */
function statFields(pid: number): (field: number) => number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (field) => Number(fields[field - 3])
}

/** Seconds of processor time, of all threads, user and system. */
export function cpuSeconds(pid: number): number {
  const field = statFields(pid)
  return (field(14) + field(15)) / TICKS_PER_SECOND
}

/** Seconds since the process was started, to 10 ms. */
export function ageSeconds(pid: number): number {
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])
  return uptime - statFields(pid)(22) / TICKS_PER_SECOND
}

/** Resident memory in bytes. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) * 1024
}
