/** The differences between our broker and Apache Kafka's that are meant, each with its reason. */
import { ROUTES } from '../../broker/handlers/registry.ts'
import type { Allowed } from './compare.ts'

const served = [...ROUTES.keys()].join('|')

export const ALLOWED: readonly Allowed[] = [
  {
    case: 'api versions: *',
    path: new RegExp(String.raw`\.apiKeys\.(?!(${served})$)\d+$`),
    reason: 'APIs that are not served are not advertised; docs/compatibility.md says why each is absent',
  },
  {
    case: 'api versions: *',
    path: new RegExp(String.raw`\.(supportedFeatures|finalizedFeatures|finalizedFeaturesEpoch)$`),
    reason: "features are levels of KRaft's metadata log, which is not there",
  },
  {
    case: 'metadata: neither name nor id',
    path: '*.errorCode',
    reason: 'Apache Kafka trips over the null; here the error says that the request is wrong',
  },
  {
    case: 'groups: joining a group without a name',
    path: '*.protocolName',
    reason: 'no name of a protocol beside an error: "" as beside every other error, not null',
  },
  {
    case: 'fetch: a negative number of bytes *',
    path: '*',
    reason: 'Apache Kafka trips over it; here it asks for no more than the first batch, as 0 does',
  },
  {
    case: '*: an isolation level that does not exist',
    path: '*errorCode',
    reason: 'Apache Kafka trips over the number; here the error says that the request is wrong',
  },
  {
    case: 'partitions: a topic without a name',
    path: '*',
    reason: 'Apache Kafka trips over the name; here it is one that is not valid, as it is elsewhere',
  },
  {
    case: 'administration: an operation that does not exist',
    path: '*.errorCode',
    reason: 'Apache Kafka trips over the number; here the error says that the request is wrong',
  },
  {
    case: 'topics: a boolean in capitals',
    path: '*.configs.preallocate.value',
    reason: 'values are shown in one form',
  },
  {
    case: 'produce: an unknown codec',
    path: '*.errorCode',
    reason: 'Apache Kafka trips over the number; here the error says that the batch is wrong',
  },
  {
    case: 'produce: a codec that the bytes are not in',
    path: '*.errorCode',
    reason: 'Apache Kafka trips over the bytes; here the error says that the batch is wrong',
  },
  {
    case: 'configs: a broker',
    path: '*.log.retention.ms.synonyms.log.retention.hours',
    reason: 'where log.retention.ms is given, the hours that it stands in for are not shown',
  },
  {
    case: 'quotas: a rate that is no number',
    path: '*.errorCode',
    reason: 'Apache Kafka takes it, and holds clients to it; here it is refused',
  },
]
