import { KafkaError } from '../errors.ts'

/** What is compressed is larger than the caller has room for: nothing is known to be wrong with it. */
export class OutputBoundError extends KafkaError {
  constructor(maxBytes: number) {
    super('MESSAGE_TOO_LARGE', `the compressed records hold more than ${maxBytes} bytes`)
  }
}
