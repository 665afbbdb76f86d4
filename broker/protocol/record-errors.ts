import { type ErrorName, KafkaError } from './errors.ts'

/** One record of a batch that may not be appended, by its place in the batch. */
export interface RecordError {
  readonly batchIndex: number
  readonly message: string
}

/** A batch was refused for some of its records; the list of them may be cut (KIP-467). */
export class InvalidRecordsError extends KafkaError {
  readonly recordErrors: readonly RecordError[]

  constructor(error: ErrorName, recordErrors: readonly RecordError[], count: number) {
    const [first] = recordErrors
    const others = count > 1 ? `, and ${count - 1} more` : ''
    super(error, `record ${first?.batchIndex}: ${first?.message}${others}`)
    this.recordErrors = recordErrors
  }
}
