/** The brokers as a client sees them: at the addresses of the listener that it came in by. */
import type { BrokerRegistration, MetadataImage } from '../metadata/image.ts'

export interface BrokerView {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

/** Those of the brokers that have this listener, by id. */
export function brokersOf(brokers: Iterable<BrokerRegistration>, listener: string): BrokerView[] {
  return [...brokers]
    .flatMap(({ id, endpoints, rack }) => {
      const endpoint = endpoints.find((candidate) => candidate.listener === listener)
      return endpoint === undefined ? [] : [{ id, host: endpoint.host, port: endpoint.port, rack }]
    })
    .toSorted((a, b) => a.id - b.id)
}

/**
 * The broker to send admin requests to: the controller, or any other while there is none, since every broker
 * serves them; -1 when no broker is known.
 */
export function controllerOf(image: MetadataImage, brokers: readonly BrokerView[]): number {
  const controllerId = image.controller?.brokerId
  const controller = brokers.find(({ id }) => id === controllerId)
  return (controller ?? brokers[0])?.id ?? -1
}
