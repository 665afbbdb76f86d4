/**
 * Requests name many partitions, and one that fails must not spoil the others: here the error of one becomes
 * its code in the response. What nobody expected is logged with its stack and answered as
 * UNKNOWN_SERVER_ERROR.
 */
import { KafkaError } from '../protocol/errors.ts'
import type { Logger } from '../runtime/logger.ts'

/**
 * `error` as what the client is told; logged when it is none of the protocol's. `fields` say where it
 * happened.
 */
export function toKafkaError(error: unknown, logger: Logger, fields: object): KafkaError {
  if (error instanceof KafkaError) return error
  logger.error({ error, ...fields }, 'a partition failed unexpectedly')
  return new KafkaError('UNKNOWN_SERVER_ERROR')
}

/** What a request says of each partition, in its order: more than one thing where it names a partition again. */
export function byPartition<Asked extends { readonly partitionIndex: number }>(
  topics: readonly { readonly name: string; readonly partitions: readonly Asked[] }[],
): Map<string, Map<number, Asked[]>> {
  const byTopic = new Map<string, Map<number, Asked[]>>()
  for (const { name, partitions } of topics) {
    for (const asked of partitions) {
      const ofTopic = byTopic.get(name) ?? new Map<number, Asked[]>()
      byTopic.set(name, ofTopic)
      const ofPartition = ofTopic.get(asked.partitionIndex)
      if (ofPartition === undefined) ofTopic.set(asked.partitionIndex, [asked])
      else ofPartition.push(asked)
    }
  }
  return byTopic
}

/** Runs `action` for one partition; `failed` gives the answer where it throws. */
export async function answerPartition<Answer>(
  action: () => Answer | Promise<Answer>,
  failed: (error: KafkaError) => Answer,
  logger: Logger,
  fields: { readonly topic: string; readonly partition: number },
): Promise<Answer> {
  try {
    return await action()
  } catch (error) {
    return failed(toKafkaError(error, logger, fields))
  }
}
