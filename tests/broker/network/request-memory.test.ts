import { type MemoryAccount, RequestMemory } from '../../../broker/network/request-memory.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const MiB = 1024 * 1024
const BUDGET = 10 * MiB
const SECOND_MS = 1000

interface User {
  readonly account: MemoryAccount
  readOn: number
  evicted: boolean
}

describe('the memory of requests', () => {
  let clock: ManualClock
  let memory: RequestMemory

  beforeEach(() => {
    clock = new ManualClock()
    memory = new RequestMemory(BUDGET, clock)
  })

  function user(): User {
    const made: User = {
      account: memory.open({
        readOn: () => void (made.readOn += 1),
        evict: () => {
          made.evicted = true
          made.account.close()
        },
      }),
      readOn: 0,
      evicted: false,
    }
    return made
  }

  /** Receives that much of a request of `sizeBytes`, and asks to read on. */
  function receivePart({ account }: User, bytes: number, sizeBytes = 9 * MiB): boolean {
    const receivedBytes = (account.part?.receivedBytes ?? 0) + bytes
    account.received(bytes, 0, { receivedBytes, missingBytes: sizeBytes - receivedBytes })
    return account.mayRead()
  }

  /** The rest of a request comes; it is in process now. */
  function complete({ account }: User, bytes: number): void {
    account.received(bytes, 1, undefined)
  }

  test('lets half requests be read as long as there is room', () => {
    expect(receivePart(user(), 3 * MiB)).toBe(true)
    expect(receivePart(user(), 2 * MiB)).toBe(true)
    expect(memory.waiting).toBe(0)
  })

  test('lets one half request be read where there is no room, and the others in the order in which they came', () => {
    const [first, second, third] = [user(), user(), user()]
    expect(receivePart(first, 8 * MiB)).toBe(true)
    expect(receivePart(second, 2 * MiB)).toBe(false)
    expect(receivePart(third, MiB)).toBe(false)
    complete(first, MiB)
    expect([second.readOn, third.readOn]).toEqual([1, 0])
    second.account.close()
    expect(third.readOn).toBe(1)
  })

  test('lets those who wait read on when requests are answered', () => {
    const [first, second, third] = [user(), user(), user()]
    complete(first, 12 * MiB)
    expect(receivePart(second, MiB, 2 * MiB)).toBe(true)
    expect(receivePart(third, MiB, 2 * MiB)).toBe(false)
    first.account.answered(12 * MiB)
    expect(third.readOn).toBe(1)
    expect(memory.requestBytes).toBe(2 * MiB)
  })

  test('leaves room for requests of ordinary size when large ones take up all that they may', () => {
    const large = Array.from({ length: 8 }, () => user())
    for (const each of large) receivePart(each, MiB)
    expect(memory.waiting).toBeGreaterThan(0)
    const ordinary = user()
    expect(receivePart(ordinary, 100_000, 500_000)).toBe(true)
    expect(receivePart(ordinary, 100_000, 500_000)).toBe(true)
  })

  test('grants no more than there is room for to those who have sent nothing but a size', () => {
    const granted = Array.from({ length: 30 }, () => user()).filter((each) => receivePart(each, 4))
    expect(granted).toHaveLength(7)
  })

  test('takes a request for what its size says once the size has come', () => {
    const sly = user()
    sly.account.received(2, 0, { receivedBytes: 2, missingBytes: 2 })
    expect(sly.account.mayRead()).toBe(true)
    expect(receivePart(sly, 9 * MiB, 10 * MiB)).toBe(true)
    expect(receivePart(user(), MiB, 10 * MiB)).toBe(false)
    expect(receivePart(user(), 100, 500)).toBe(true)
  })

  test('never puts off a connection that is between requests', () => {
    complete(user(), 20 * MiB)
    const other = user()
    other.account.received(100, 1, undefined)
    expect(other.account.mayRead()).toBe(true)
  })

  test('closes half requests that stand still as soon as somebody waits', () => {
    const idlers = Array.from({ length: 7 }, () => user())
    for (const idler of idlers) receivePart(idler, 4)
    const late = user()
    expect(receivePart(late, 4)).toBe(false)
    for (let second = 0; second < 2; second += 1) clock.advance(SECOND_MS)
    expect(idlers.every(({ evicted }) => evicted)).toBe(true)
    expect([late.readOn, late.evicted]).toEqual([1, false])
  })

  test('closes a half request that comes byte by byte, after a while, when nobody waits', () => {
    const slow = user()
    for (let second = 0; second < 30; second += 1) {
      receivePart(slow, 1)
      clock.advance(SECOND_MS)
    }
    expect(slow.evicted).toBe(false)
    for (let second = 0; second < 3; second += 1) clock.advance(SECOND_MS)
    expect(slow.evicted).toBe(true)
  })

  test('leaves a large request alone that comes steadily', () => {
    const steady = user()
    for (let second = 0; second < 120; second += 1) {
      receivePart(steady, 70 * 1024, 100 * MiB)
      clock.advance(SECOND_MS)
    }
    expect(steady.evicted).toBe(false)
  })

  test('does not hold against a half request that the one before it takes long', () => {
    const pipelining = user()
    pipelining.account.received(2000, 1, { receivedBytes: 1000, missingBytes: 5000 })
    pipelining.account.pause()
    clock.advance(300 * SECOND_MS)
    expect(pipelining.evicted).toBe(false)
  })

  test('does not count the time of one request for the next', () => {
    const pipelining = user()
    for (let second = 0; second < 100; second += 1) {
      pipelining.account.received(70_000, 1, { receivedBytes: 1000, missingBytes: 5000 })
      expect(pipelining.account.mayRead()).toBe(true)
      clock.advance(SECOND_MS)
    }
    expect(pipelining.evicted).toBe(false)
  })

  test('closes the connection that has left its answer unread longest when answers pass the budget', () => {
    const [first, second, third] = [user(), user(), user()]
    first.account.answerKept(5 * MiB)
    second.account.answerKept(5 * MiB)
    clock.advance(5 * SECOND_MS)
    expect(first.evicted).toBe(false)
    third.account.answerKept(MiB)
    expect([first.evicted, second.evicted, third.evicted]).toEqual([true, false, false])
    expect(memory.answerBytes).toBe(6 * MiB)
  })

  test('gives clients some seconds to read their answers, however large', () => {
    const [quick, slow] = [user(), user()]
    quick.account.answerKept(50 * MiB)
    slow.account.answerKept(50 * MiB)
    clock.advance(SECOND_MS)
    quick.account.answerTaken()
    expect([quick.evicted, slow.evicted]).toEqual([false, false])
    clock.advance(2 * SECOND_MS)
    expect([quick.evicted, slow.evicted]).toEqual([false, true])
    expect([memory.answerBytes, clock.pending]).toEqual([0, 0])
  })

  test('is empty, and has no timer, when all are gone', () => {
    const users = [user(), user(), user()]
    for (const each of users) receivePart(each, 6 * MiB)
    complete(users[0]!, 5)
    for (const { account } of users) account.close()
    clock.advance(SECOND_MS)
    expect([memory.requestBytes, memory.waiting, clock.pending]).toEqual([0, 0, 0])
  })
})
