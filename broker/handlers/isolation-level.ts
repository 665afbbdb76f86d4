/** What a consumer may see of transactions (KIP-98): the isolation level of Fetch and ListOffsets. */
import { KafkaError } from '../protocol/errors.ts'

const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1

/** Throws INVALID_REQUEST for a level that does not exist. */
export function isReadCommitted(isolationLevel: number): boolean {
  if (isolationLevel === READ_UNCOMMITTED) return false
  if (isolationLevel === READ_COMMITTED) return true
  throw new KafkaError(
    'INVALID_REQUEST',
    `the isolation level ${isolationLevel} is neither 0 (read_uncommitted) nor 1 (read_committed)`,
  )
}
