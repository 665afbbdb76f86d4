/**
 * When a process started, from Linux's /proc: process ids are used again, by other processes and after a reboot, while
 * the id together with the boot and the start time in it never is.
 */
import { readFileSync } from 'node:fs'

/** Id of this boot; "" where there is no /proc. */
export function bootId(): string {
  return readProc('/proc/sys/kernel/random/boot_id').trim()
}

/**
 * Clock ticks from the boot to the start of the process (proc(5), stat field 22). Undefined when there is no such
 * process, when only its exit status is left (a zombie), and where there is no /proc.
 */
export function startTicks(pid: number): string | undefined {
  const stat = readProc(`/proc/${pid}/stat`)
  // The second field, the name in parentheses, may itself hold blanks and parentheses: the state, field 3, follows its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[22 - 3]
}

function readProc(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}
