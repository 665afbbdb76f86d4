/** What the test has learnt of one broker from its answers: the ids that the broker has given. */
import { ZERO_UUID } from '../../broker/protocol/schema.ts'

export class Scene {
  readonly #topicIds = new Map<string, string>()
  readonly #topicNames = new Map<string, string>()
  /** The latest id of each kind that an answer held: "producerId", "memberId", "sessionId", "generationId". */
  readonly #latest = new Map<string, unknown>()

  /** The id of a topic that an answer has named with its id. */
  topicId(name: string): string {
    const id = this.#topicIds.get(name)
    if (id === undefined) throw new Error(`no answer has told the id of the topic ${name}`)
    return id
  }

  topicName(id: string): string | undefined {
    return this.#topicNames.get(id)
  }

  #number(field: string): number {
    const value = this.#latest.get(field)
    if (typeof value !== 'number') throw new Error(`no answer has told a ${field}`)
    return value
  }

  get producerId(): number {
    return this.#number('producerId')
  }

  get sessionId(): number {
    return this.#number('sessionId')
  }

  get generationId(): number {
    return this.#number('generationId')
  }

  get memberId(): string {
    const value = this.#latest.get('memberId')
    if (typeof value !== 'string') throw new Error('no answer has told a memberId')
    return value
  }

  /** Takes in the ids of a decoded answer, at any depth. */
  learn(value: unknown): void {
    if (Array.isArray(value)) return value.forEach((item) => this.learn(item))
    if (value === null || typeof value !== 'object' || Buffer.isBuffer(value)) return
    const struct = value as Record<string, unknown>
    const name = struct['name'] ?? struct['topic']
    const id = struct['topicId']
    if (typeof name === 'string' && name !== '' && typeof id === 'string' && id !== ZERO_UUID) {
      this.#topicIds.set(name, id)
      this.#topicNames.set(id, name)
    }
    for (const [field, part] of Object.entries(struct)) {
      if (IDS.has(field) && part !== -1 && part !== 0 && part !== '') this.#latest.set(field, part)
      this.learn(part)
    }
  }
}

const IDS: ReadonlySet<string> = new Set(['producerId', 'memberId', 'sessionId', 'generationId'])
