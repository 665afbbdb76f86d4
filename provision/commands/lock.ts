/**
 * One provisioning at a time on each host. The lock belongs to a process on the host that ends with our connection,
 * so a run that dies gives it back; `timeout` gives it back when the connection dies without a word.
 */
import { asRoot, script, type Command } from './shell.ts'

const LOCK_FILE = '/run/brokerkit.lock'
const OWNER_FILE = '/run/brokerkit.owner'
const STALE_AFTER_SECONDS = 3_600

export const LOCKED = 'locked'
/** The exit code when another run holds the lock; stdout then says who. */
export const LOCK_TAKEN = 75

/** Prints LOCKED and holds the lock until stdin ends. */
export function holdLock(owner: string): Command {
  return asRoot(
    script(
      `exec 9>> ${LOCK_FILE}
if ! flock --nonblock 9; then cat ${OWNER_FILE} 2>/dev/null || true; exit ${LOCK_TAKEN}; fi
echo "$1" > ${OWNER_FILE}
echo ${LOCKED}
timeout ${STALE_AFTER_SECONDS} cat > /dev/null || true
rm -f ${OWNER_FILE}`,
      owner,
    ),
  )
}
