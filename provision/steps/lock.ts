/** One provisioning at a time on each host. */
import { LOCKED, LOCK_TAKEN, holdLock } from '../commands/lock.ts'
import { CommandFailed, HostError } from '../host.ts'
import type { Node } from './step.ts'

/** Takes the lock; the result gives it back. `owner` says to others who has it, since when. */
export async function takeLock({ host }: Node, owner: string): Promise<() => Promise<void>> {
  try {
    return await host.hold(holdLock(owner), (stdout) => stdout.includes(LOCKED))
  } catch (error) {
    if (!(error instanceof CommandFailed) || error.output.exitCode !== LOCK_TAKEN) throw error
    const who = error.output.stdout.trim()
    throw new HostError(
      `${host.name}: another run is at work on it${who === '' ? '' : ` (${who})`}. It gives the lock back when it ends, ` +
        `at the latest after an hour.`,
    )
  }
}
