/** All areas, in the order in which they run. */
import { administration } from './areas/administration.ts'
import { apiVersions } from './areas/api-versions.ts'
import { configs } from './areas/configs.ts'
import { fetch } from './areas/fetch.ts'
import { groups } from './areas/groups.ts'
import { metadata } from './areas/metadata.ts'
import { offsets } from './areas/offsets.ts'
import { partitions } from './areas/partitions.ts'
import { produce } from './areas/produce.ts'
import { quotas } from './areas/quotas.ts'
import { topics } from './areas/topics.ts'
import type { Area } from './case.ts'

export const AREAS: readonly Area[] = [
  apiVersions,
  topics,
  metadata,
  configs,
  administration,
  produce,
  fetch,
  offsets,
  partitions,
  groups,
  // The last one: quotas hold for whoever comes after.
  quotas,
]
