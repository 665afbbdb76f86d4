/** One broker under comparison: sends it the steps of a case and tells, in comparable form, what came of each. */
import { ApiVersions } from '../../broker/protocol/apis/api-versions.ts'
import { CreateTopics } from '../../broker/protocol/apis/create-topics.ts'
import { ListOffsets } from '../../broker/protocol/apis/list-offsets.ts'
import { decodeResponseHeader } from '../../broker/protocol/headers.ts'
import { ByteReader } from '../../broker/protocol/reader.ts'
import { TestClient } from '../support/test-client.ts'
import { waitUntil } from '../support/wait-until.ts'
import { ask, type Area, type Step, type TopicSpec } from './case.ts'
import { normalise } from './normalise.ts'
import { Scene } from './scene.ts'

/** Answers that say that something is on its way. */
const NOT_YET =
  /"(UNKNOWN_TOPIC_OR_PARTITION|UNKNOWN_TOPIC_ID|LEADER_NOT_AVAILABLE|NOT_LEADER_OR_FOLLOWER|COORDINATOR_NOT_AVAILABLE|COORDINATOR_LOAD_IN_PROGRESS|NOT_COORDINATOR|CONCURRENT_TRANSACTIONS)"/
const EVENTUALLY_MS = 15_000

export class Target {
  readonly #address: string
  readonly #scene = new Scene()
  #correlationId = 0

  constructor(address: string) {
    this.#address = address
  }

  /** Makes the topics of an area and does what it asks for before its cases. */
  async prepare(area: Area): Promise<void> {
    const topics = Object.entries(area.topics)
    const steps = [createTopics(topics), ...topics.map(([name, spec]) => firstOffsets(name, spec))]
    for (const outcome of await this.run([...steps, ...(area.prepare ?? [])])) {
      if (/"errorCode":"(?!NONE")/.test(JSON.stringify(outcome)))
        throw new Error(`${area.name}: preparing failed: ${JSON.stringify(outcome)}`)
    }
  }

  /** The outcome of each step, by its number and label. A connection that was closed is opened again. */
  async run(steps: readonly Step[]): Promise<Record<string, unknown>[]> {
    let client = await TestClient.connect(this.#address)
    const outcomes: Record<string, unknown>[] = []
    try {
      for (const [index, step] of steps.entries()) {
        if (client.isClosed) client = await TestClient.connect(this.#address)
        outcomes.push({ [`${index + 1} ${step.label}`]: await this.#outcome(client, step) })
      }
    } finally {
      client.close()
    }
    return outcomes
  }

  async #outcome(client: TestClient, step: Step): Promise<unknown> {
    if (!step.eventually) return this.#send(client, step)
    let outcome: unknown
    const ready = async (): Promise<boolean> => {
      outcome = await this.#send(client, step)
      const text = JSON.stringify(outcome)
      return !NOT_YET.test(text) && text.includes(step.until ?? '')
    }
    await waitUntil(ready, step.label, EVENTUALLY_MS).catch(() => {})
    return outcome
  }

  async #send(client: TestClient, step: Step): Promise<unknown> {
    this.#correlationId += 1
    const correlationId = this.#correlationId
    try {
      client.sendBytes(step.frame(this.#scene, correlationId))
      if (step.answer === null) {
        await client.request(ApiVersions, 0, {})
        return 'no answer'
      }
      const reader = new ByteReader(await client.nextFrame())
      return this.#read(step.answer, reader, correlationId)
    } catch (error) {
      if (client.isClosed) return 'closed'
      client.close()
      return (error as Error).name === 'AbortError' ? 'nothing for 10 s' : String(error)
    }
  }

  #read({ api, version }: NonNullable<Step['answer']>, reader: ByteReader, correlationId: number): unknown {
    try {
      const answered = decodeResponseHeader(api, version, reader)
      if (answered !== correlationId) return `an answer to ${answered - correlationId} requests from this one`
      const response: unknown = api.response.decode(version, reader)
      if (reader.remaining !== 0) return `${reader.remaining} bytes follow the answer`
      this.#scene.learn(response)
      return normalise(response, this.#scene)
    } catch (error) {
      return `an answer that cannot be read: ${(error as Error).message}`
    }
  }
}

function createTopics(topics: readonly (readonly [string, TopicSpec])[]): Step {
  return ask(CreateTopics, 7, {
    topics: topics.map(([name, { partitions = 1, configs = {} }]) => ({
      name,
      numPartitions: partitions,
      replicationFactor: 1,
      assignments: [],
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
    })),
  })
}

/** Answered without an error once every partition is led. */
function firstOffsets(name: string, { partitions = 1 }: TopicSpec): Step {
  const indexes = Array.from({ length: partitions }, (_, partitionIndex) => partitionIndex)
  const step = ask(ListOffsets, 7, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name, partitions: indexes.map((partitionIndex) => ({ partitionIndex, timestamp: -2 })) }],
  })
  return { ...step, eventually: true }
}
