/**
 * Whatever is written, in whichever order it is compacted, truncated, deleted from and opened again: who reads the log and
 * applies its records in order has the same last value of each key.
 */
import * as fc from 'fast-check'
import type { BatchView } from '../../../../broker/protocol/record-batch.ts'
import { batchesOf, CompactedLog, committedRecords, lastValues } from '../../../support/compacted-log.ts'

const KEYS = 6
const PRODUCERS = 3

type Step =
  | { readonly kind: 'plain'; readonly entries: [number, boolean][]; readonly codec: number }
  | { readonly kind: 'transactional'; readonly producer: number; readonly entries: [number, boolean][] }
  | { readonly kind: 'end'; readonly producer: number; readonly commits: boolean }
  | { readonly kind: 'compact'; readonly passedMs: number }
  | { readonly kind: 'reopen' }

const entries = fc.array(fc.tuple(fc.nat(KEYS - 1), fc.boolean()), { minLength: 1, maxLength: 4 })
const producer = fc.nat(PRODUCERS - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('plain' as const), entries, codec: fc.nat(4) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('transactional' as const), producer, entries }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('end' as const), producer, commits: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('compact' as const), passedMs: fc.nat(1500) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
)

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

interface Written {
  readonly offset: number
  readonly timestamp: number
  readonly key: string
  readonly value: string | null
}

/** The log, and what a reader of committed records should make of it. */
class Model {
  readonly scene: CompactedLog
  readonly #sequences = new Map<number, number>()
  /** In the order in which their transactions ended. */
  readonly #written: Written[] = []
  readonly #pending = new Map<number, Written[]>()
  #count = 0

  constructor(scene: CompactedLog) {
    this.scene = scene
  }

  async apply(step: Step): Promise<void> {
    switch (step.kind) {
      case 'plain':
        return this.#append(step.entries, undefined, CODECS[step.codec]!)
      case 'transactional':
        return this.#append(step.entries, step.producer, 'none')
      case 'end':
        return this.#end(step.producer, step.commits)
      case 'compact':
        this.scene.clock.advance(step.passedMs)
        return this.#compact()
      case 'reopen':
        await this.scene.close()
        await this.scene.open()
    }
  }

  async #append(pairs: [number, boolean][], producer: number | undefined, codec: (typeof CODECS)[number]) {
    const written = pairs.map(([key, hasValue]) => ({
      key: `k${key}`,
      value: hasValue ? `${(this.#count += 1)}` : null,
    }))
    const sequence = producer === undefined ? -1 : (this.#sequences.get(producer) ?? 0)
    const first = this.scene.log.logEndOffset
    const as = producer === undefined ? { codec } : { producerId: producer, sequence, isTransactional: true }
    await this.scene.append(written, as)
    const timestamp = this.scene.clock.now()
    const records = written.map((record, index) => ({ ...record, timestamp, offset: first + index }))
    if (producer === undefined) this.#written.push(...records)
    else {
      this.#sequences.set(producer, sequence + pairs.length)
      this.#pending.set(producer, [...(this.#pending.get(producer) ?? []), ...records])
    }
  }

  async #end(producer: number, commits: boolean): Promise<void> {
    const pending = this.#pending.get(producer)
    if (pending === undefined) return
    this.#pending.delete(producer)
    await this.scene.end(producer, commits ? 'commit' : 'abort')
    if (commits) this.#written.push(...pending)
  }

  /** Compacts as long as there is something to compact, and sees to it that nothing beyond is touched. */
  async #compact(): Promise<void> {
    const { log, cleaner } = this.scene
    await log.flush()
    for (let goesOn = true; goesOn; this.check()) {
      const before = batchesOf(log)
      goesOn = await cleaner.round()
      const { compactedUpTo } = log
      expect(compactedUpTo).toBeLessThanOrEqual(
        Math.min(log.segments().at(-1)!.baseOffset, log.lastStableOffset),
      )
      expect(hexFrom(batchesOf(log), compactedUpTo)).toEqual(hexFrom(before, compactedUpTo))
    }
    expect(cleaner.uncleanableLogs).toBe(0)
  }

  async endAll(): Promise<void> {
    for (const producer of this.#pending.keys()) await this.#end(producer, true)
  }

  expectedValues(): Record<string, string> {
    const expected = new Map<string, string>()
    for (const { key, value } of this.#written.toSorted((a, b) => a.offset - b.offset)) {
      if (value === null) expected.delete(key)
      else expected.set(key, value)
    }
    return Object.fromEntries(expected)
  }

  check(): void {
    const { log } = this.scene
    const stable = log.lastStableOffset
    const batches = batchesOf(log)
    for (const [index, batch] of batches.entries()) {
      expect(batch.isIntact()).toBe(true)
      expect(batch.baseOffset).toBeGreaterThan(batches[index - 1]?.lastOffset ?? -1)
    }
    if (this.#pending.size > 0) return
    expect(stable).toBe(log.logEndOffset)
    expect(lastValues(log)).toEqual(this.expectedValues())
    const appended = new Map(this.#written.map((record) => [record.offset, record]))
    for (const { offset, timestamp, key, value } of committedRecords(log)) {
      const read = { offset, timestamp, key: String(key), value: value === null ? null : String(value) }
      expect(read).toEqual(appended.get(offset))
    }
  }
}

function hexFrom(batches: readonly BatchView[], offset: number): string[] {
  return batches.filter(({ baseOffset }) => baseOffset >= offset).map(({ bytes }) => bytes.toString('hex'))
}

/** So little memory for keys that not all of them fit. */
const ROOM_FOR_FIVE = {
  'log.cleaner.dedupe.buffer.size': String(2 ** 20 + 1),
  'log.cleaner.io.buffer.load.factor': '0.00012',
}

test('the last value of each key is the same after any history', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 60 }),
      fc.boolean(),
      async (steps, isTight) => {
        const model = new Model(await new CompactedLog(isTight ? { broker: ROOM_FOR_FIVE } : {}).open())
        for (const next of steps) await model.apply(next)
        await model.endAll()
        model.check()
        for (const kind of ['compact', 'reopen', 'compact'] as const) {
          await model.apply(kind === 'compact' ? { kind, passedMs: 2000 } : { kind })
          model.check()
          expect(lastValues(model.scene.log)).toEqual(model.expectedValues())
        }
        await model.scene.close()
      },
    ),
    { numRuns: 100 },
  )
}, 120_000)
