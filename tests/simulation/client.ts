/** A client of the simulated cluster: finds leaders by asking whoever answers, and gives up on nobody for long. */
import { Metadata } from '../../broker/protocol/apis/metadata.ts'
import type { AnyApi, DecodedResponse, RequestToSend } from '../../broker/protocol/schema.ts'
import { Peer } from '../../broker/network/peer.ts'
import type { Network } from '../../broker/network/network.ts'
import { SimulatedProcess } from './simulated-process.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import type { World } from './world.ts'

export const CLIENT_HOST = 'client'
const TIMEOUT_MS = 3_000
const MAX_FRAME_BYTES = 10_000_000

export interface Leader {
  readonly brokerId: number
  readonly leaderEpoch: number
}

export interface PartitionState extends Leader {
  readonly isr: readonly number[]
}

export class Client {
  readonly process: SimulatedProcess
  readonly #world: World
  readonly #network: Network
  readonly #brokers: ReadonlyMap<number, { readonly host: string; readonly port: number }>
  readonly #peers = new Map<number, Peer>()
  /** The newest leader epoch seen, by partition. */
  readonly #epochs = new Map<string, number>()

  constructor(
    world: World,
    network: SimulatedNetwork,
    brokers: ReadonlyMap<number, { readonly host: string; readonly port: number }>,
  ) {
    this.#world = world
    this.process = new SimulatedProcess(world, CLIENT_HOST)
    this.#network = network.of(this.process)
    this.#brokers = brokers
  }

  /** Rejects as the peer does: the broker is not there, or does not answer in time. */
  send<A extends AnyApi>(
    brokerId: number,
    api: A,
    version: number,
    request: RequestToSend<A>,
    timeoutMs = TIMEOUT_MS,
  ): Promise<DecodedResponse<A>> {
    let peer = this.#peers.get(brokerId)
    if (peer === undefined) {
      peer = new Peer({
        ...this.#brokers.get(brokerId)!,
        clientId: 'simulation',
        maxFrameBytes: MAX_FRAME_BYTES,
        clock: this.process.clock,
        network: this.#network,
      })
      this.#peers.set(brokerId, peer)
    }
    return peer.request(api, version, request, timeoutMs)
  }

  /** What some broker says of a topic; undefined when none answers, or none knows it. */
  async describe(topic: string): Promise<ReadonlyMap<number, PartitionState> | undefined> {
    const ids = [...this.#brokers.keys()]
    const first = Math.floor(this.#world.random() * ids.length)
    for (let tried = 0; tried < ids.length; tried += 1) {
      const request = { topics: [{ name: topic }], allowAutoTopicCreation: false }
      const id = ids[(first + tried) % ids.length]!
      const response = await this.send(id, Metadata, 12, request, 1_000).catch(() => undefined)
      const partitions = response?.topics[0]?.partitions ?? []
      if (partitions.length === 0) continue
      return new Map(
        partitions.map(({ partitionIndex, leaderId, leaderEpoch, isrNodes }) => [
          partitionIndex,
          { brokerId: leaderId, leaderEpoch, isr: isrNodes },
        ]),
      )
    }
    return undefined
  }

  /** Of the newest leader epoch that was seen: a broker that is cut off may tell of an older one. */
  async leaderOf(topic: string, index: number): Promise<Leader | undefined> {
    const leader = (await this.describe(topic))?.get(index)
    const key = `${topic}-${index}`
    if (leader === undefined || leader.leaderEpoch < (this.#epochs.get(key) ?? 0)) return undefined
    this.#epochs.set(key, leader.leaderEpoch)
    return leader.brokerId < 0 ? undefined : leader
  }
}
