/** AlterConfigs: replaces all settings of a topic or broker; what the request does not name goes back to its default. */
import type { AlterConfigs } from '../protocol/apis/alter-configs.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { RequestOf } from '../protocol/schema.ts'
import { alterResources, type ResourceChange } from './config-resources.ts'
import type { Handler } from './context.ts'

type Resource = RequestOf<typeof AlterConfigs>['resources'][number]

export const alterConfigs: Handler<typeof AlterConfigs> = async (request, context) => ({
  throttleTimeMs: 0,
  responses: await alterResources(request.resources.map(replacement), request.validateOnly, context),
})

function replacement({ resourceType, resourceName, configs }: Resource): ResourceChange {
  return {
    resourceType,
    resourceName,
    keys: configs.map(({ name }) => name),
    apply: () =>
      new Map(
        configs.map(({ name, value }) => {
          if (value === null) throw new KafkaError('INVALID_REQUEST', `${name} has no value`)
          return [name, value]
        }),
      ),
  }
}
