/** DeleteRecords: moves the start of partitions' logs up (KIP-107); -1 stands for the high watermark. */
import { defineApi, t } from '../schema.ts'

export const DeleteRecords = defineApi({
  key: 21,
  name: 'DeleteRecords',
  versions: '0-2',
  flexible: '2+',
  request: {
    topics: t.array({
      name: t.string,
      partitions: t.array({
        partitionIndex: t.int32,
        offset: t.int64,
      }),
    }),
    timeoutMs: t.int32,
  },
  response: {
    throttleTimeMs: t.int32,
    topics: t.array({
      name: t.string,
      partitions: t.array({
        partitionIndex: t.int32,
        lowWatermark: t.int64,
        errorCode: t.int16,
      }),
    }),
  },
})
