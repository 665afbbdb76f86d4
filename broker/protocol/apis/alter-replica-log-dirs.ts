/** AlterReplicaLogDirs: moves replicas between the log directories of one broker (KIP-113). */
import { defineApi, t } from '../schema.ts'

export const AlterReplicaLogDirs = defineApi({
  key: 34,
  name: 'AlterReplicaLogDirs',
  versions: '1-2',
  flexible: '2+',
  request: {
    dirs: t.array({
      path: t.string,
      topics: t.array({ name: t.string, partitions: t.array(t.int32) }),
    }),
  },
  response: {
    throttleTimeMs: t.int32,
    results: t.array({
      topicName: t.string,
      partitions: t.array({ partitionIndex: t.int32, errorCode: t.int16 }),
    }),
  },
})
