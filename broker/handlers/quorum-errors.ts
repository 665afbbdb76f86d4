/** A change that needs the metadata quorum while that does not answer: clients are told to try again later. */
import { StoreUnavailableError } from '../metadata/store.ts'
import { KafkaError } from '../protocol/errors.ts'

/** Runs `change`; a StoreUnavailableError becomes REQUEST_TIMED_OUT, which is retriable. */
export async function quorumErrors<T>(change: () => Promise<T>): Promise<T> {
  try {
    return await change()
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error
    throw new KafkaError('REQUEST_TIMED_OUT', `the metadata quorum did not answer: ${error.message}`)
  }
}
