import { KafkaError } from '../../../broker/protocol/errors.ts'
import { OffsetWaiters, waitForBytes, type Watchable } from '../../../broker/replication/waiters.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const timedOut = (): KafkaError => new KafkaError('REQUEST_TIMED_OUT')

async function outcome(wait: Promise<void>): Promise<string> {
  return wait.then(
    () => 'reached',
    (error: unknown) => (error instanceof KafkaError ? error.error : String(error)),
  )
}

/** What has settled so far, in order. */
function record(log: string[], name: string, wait: Promise<void>): void {
  void outcome(wait).then((result) => log.push(`${name}: ${result}`))
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

describe('waiting for an offset', () => {
  test('whoever waits for an offset that was reached goes on, and nobody else', async () => {
    const waiters = new OffsetWaiters(new ManualClock())
    const log: string[] = []
    record(log, 'ten', waiters.wait(10, 1000, timedOut))
    record(log, 'thirty', waiters.wait(30, 1000, timedOut))
    record(log, 'twenty', waiters.wait(20, 1000, timedOut))
    waiters.reached(20)
    await settle()
    expect(log).toEqual(['ten: reached', 'twenty: reached'])
    expect(waiters.size).toBe(1)
    waiters.reached(29)
    await settle()
    expect(waiters.size).toBe(1)
    waiters.reached(30)
    await settle()
    expect(log).toEqual(['ten: reached', 'twenty: reached', 'thirty: reached'])
  })

  test('a wait ends at its deadline and leaves the others alone', async () => {
    const clock = new ManualClock()
    const waiters = new OffsetWaiters(clock)
    const log: string[] = []
    record(log, 'patient', waiters.wait(10, 500, timedOut))
    record(log, 'hasty', waiters.wait(10, 100, timedOut))
    clock.advance(499)
    await settle()
    expect(log).toEqual(['hasty: REQUEST_TIMED_OUT'])
    waiters.reached(10)
    await settle()
    expect(log).toEqual(['hasty: REQUEST_TIMED_OUT', 'patient: reached'])
    expect(clock.pending).toBe(0)
  })

  test('all waits fail when what they wait for will not come', async () => {
    const clock = new ManualClock()
    const waiters = new OffsetWaiters(clock)
    const log: string[] = []
    record(log, 'a', waiters.wait(10, 500, timedOut))
    record(log, 'b', waiters.wait(11, 500, timedOut))
    waiters.fail(() => new KafkaError('NOT_LEADER_OR_FOLLOWER'))
    await settle()
    expect(log).toEqual(['a: NOT_LEADER_OR_FOLLOWER', 'b: NOT_LEADER_OR_FOLLOWER'])
    expect(clock.pending).toBe(0)
    expect(waiters.size).toBe(0)
  })
})

/** What is waited for; the test says what has come. */
class TestSource implements Watchable<TestSource> {
  readonly #listeners = new Set<(changed: TestSource) => void>()
  newBytes: number | 'other' = 0

  get listeners(): number {
    return this.#listeners.size
  }

  subscribe(listener: (changed: TestSource) => void): void {
    this.#listeners.add(listener)
  }

  unsubscribe(listener: (changed: TestSource) => void): void {
    this.#listeners.delete(listener)
  }

  add(bytes: number | 'other'): void {
    this.newBytes = bytes
    for (const listener of this.#listeners) listener(this)
  }
}

describe('waiting for bytes', () => {
  function start(missingBytes: number): {
    clock: ManualClock
    abort: AbortController
    sources: TestSource[]
    /** undefined while it waits; then whether anything has changed. */
    result: () => Promise<boolean | undefined>
  } {
    const clock = new ManualClock()
    const abort = new AbortController()
    const sources = [new TestSource(), new TestSource()]
    let hasChanged: boolean | undefined
    const newBytes = (changed: TestSource): number | 'other' => changed.newBytes
    const wait = { newBytes, missingBytes, maxWaitMs: 500, clock, signal: abort.signal }
    void waitForBytes(sources, wait).then((result) => {
      hasChanged = result
    })
    const result = async (): Promise<boolean | undefined> => {
      await settle()
      return hasChanged
    }
    return { clock, abort, sources, result }
  }

  test('ends exactly when the sources together have enough', async () => {
    const { clock, sources, result } = start(100)
    sources[0]!.add(60)
    sources[1]!.add(39)
    expect(await result()).toBeUndefined()
    sources[0]!.add(1)
    expect(await result()).toBe(true)
    expect(sources.map((source) => source.listeners)).toEqual([0, 0])
    expect(clock.pending).toBe(0)
  })

  test('ends when a source has changed otherwise', async () => {
    const { sources, result } = start(100)
    sources[1]!.add('other')
    expect(await result()).toBe(true)
  })

  test('ends at its deadline, and tells that nothing has changed', async () => {
    const { clock, sources, result } = start(100)
    clock.advance(499)
    expect(await result()).toBeUndefined()
    clock.advance(1)
    expect(await result()).toBe(false)
    expect(sources.map((source) => source.listeners)).toEqual([0, 0])
  })

  test('tells at its deadline of a change that was too small', async () => {
    const { clock, sources, result } = start(100)
    sources[0]!.add(0)
    clock.advance(500)
    expect(await result()).toBe(true)
  })

  test('ends when the client has gone', async () => {
    const { clock, abort, result } = start(100)
    abort.abort()
    expect(await result()).toBe(false)
    expect(clock.pending).toBe(0)
  })
})
