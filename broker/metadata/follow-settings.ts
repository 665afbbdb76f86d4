/** Keeps a broker's settings as the cluster says: those of all brokers and those of this one, whenever they change. */
import type { Config } from '../config/config.ts'
import type { Logger } from '../runtime/logger.ts'
import type { ClusterMetadata } from './cluster-metadata.ts'

const NONE: ReadonlyMap<string, string> = new Map()

/** Applies the settings of the image to `config`, now and after each change. */
export function followDynamicSettings(
  metadata: Pick<ClusterMetadata, 'subscribe'>,
  config: Config,
  logger: Logger,
): void {
  const broker = String(config.brokerId)
  config.onChange((keys) => logger.info({ keys: [...keys] }, 'settings changed'))
  metadata.subscribe(({ brokerConfigs }, delta) => {
    if (!delta.brokerConfigsChanged) return
    config.applyDynamic(
      { cluster: brokerConfigs.get('') ?? NONE, broker: brokerConfigs.get(broker) ?? NONE },
      (key, value, reason) =>
        logger.error({ key, value, reason }, 'a setting of the cluster cannot be used, and does not count'),
    )
  })
}
