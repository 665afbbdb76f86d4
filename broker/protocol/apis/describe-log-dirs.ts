/**
 * DescribeLogDirs: the log directories of one broker and the partitions in them (KIP-113). v3 adds an error for the
 * whole, v4 the space of the file system (KIP-827), v5 whether new partitions are kept away (KIP-1066).
 */
import { defineApi, t } from '../schema.ts'

export const DescribeLogDirs = defineApi({
  key: 35,
  name: 'DescribeLogDirs',
  versions: '1-5',
  flexible: '2+',
  request: {
    topics: t.array({ topic: t.string, partitions: t.array(t.int32) }).nullable(),
  },
  response: {
    throttleTimeMs: t.int32,
    errorCode: t.int16.versions('3+'),
    results: t.array({
      errorCode: t.int16,
      logDir: t.string,
      topics: t.array({
        name: t.string,
        partitions: t.array({
          partitionIndex: t.int32,
          partitionSize: t.int64,
          offsetLag: t.int64,
          isFutureKey: t.boolean,
        }),
      }),
      totalBytes: t.int64.versions('4+').default(-1),
      usableBytes: t.int64.versions('4+').default(-1),
      isCordoned: t.boolean.versions('5+').default(false),
    }),
  },
})
