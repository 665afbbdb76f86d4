/**
 * Sends the same requests to our broker and to Apache Kafka's own server and compares the decoded answers: codes and
 * structure, not texts. Differences are either in the list of those that are allowed or a failure.
 */
import type { KafkaTools } from '../setup/kafka-tools.ts'
import { type KafkaServer, startKafkaServer } from '../support/kafka-server.ts'
import { type BrokerProcess, startBroker } from '../support/start-broker.ts'
import { AREAS } from './areas.ts'
import type { Area, Step } from './case.ts'
import { type Difference, differences } from './compare.ts'
import { Target } from './target.ts'

/** The same for both: what would only make the run slower, or change what the cases find while it lasts. */
const SETTINGS = {
  'group.initial.rebalance.delay.ms': '0',
  'log.retention.ms': '-1',
}

export class Differential {
  readonly #broker: BrokerProcess
  readonly #kafka: KafkaServer
  readonly #targets: { readonly ours: Target; readonly kafka: Target }

  private constructor(broker: BrokerProcess, kafka: KafkaServer) {
    this.#broker = broker
    this.#kafka = kafka
    this.#targets = { ours: new Target(broker.address), kafka: new Target(kafka.address) }
  }

  static async start(tools: KafkaTools): Promise<Differential> {
    const kafka = await startKafkaServer(tools, {
      overrides: SETTINGS,
      jvm: ['-Xmx512m', '-XX:+UseSerialGC'],
      // With it, min.insync.replicas is a setting of the cluster that nobody has made.
      features: { 'eligible.leader.replicas.version': 0 },
    })
    try {
      return new Differential(await startBroker({ overrides: SETTINGS }), kafka)
    } catch (error) {
      await kafka.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    await Promise.all([this.#broker.stop(), this.#kafka.stop()])
  }

  /** Every difference in the cases of an area, or in those whose names contain `only`. */
  async compare(area: Area, only = ''): Promise<Difference[]> {
    const cases = casesOf(area, only)
    if (cases.length === 0) return []
    const { ours, kafka } = this.#targets
    await Promise.all([ours.prepare(area), kafka.prepare(area)])
    const found: Difference[] = []
    for (const { name, steps } of cases) {
      const [mine, theirs] = await Promise.all([ours.run(steps), kafka.run(steps)])
      found.push(...steps.flatMap((_step, index) => differences(name, mine[index], theirs[index])))
    }
    return found
  }
}

export interface NamedCase {
  /** "area: case" */
  readonly name: string
  readonly steps: readonly Step[]
}

export function casesOf(area: Area, only = ''): NamedCase[] {
  return Object.entries(area.cases)
    .map(([name, steps]) => ({ name: `${area.name}: ${name}`, steps: 'label' in steps ? [steps] : steps }))
    .filter(({ name }) => name.includes(only))
}

export const CASE_COUNT = AREAS.flatMap((area) => casesOf(area)).length
