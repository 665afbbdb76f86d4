import { QueueClosedError, QueueFullError, SerialQueue } from '../../../broker/runtime/queue.ts'

describe('a serial queue', () => {
  test('runs one task at a time, in order', async () => {
    const queue = new SerialQueue(10)
    const events: string[] = []
    const task = (name: string) => async (): Promise<string> => {
      events.push(`${name} begins`)
      await Promise.resolve()
      events.push(`${name} ends`)
      return name
    }
    expect(await Promise.all([queue.run(task('a')), queue.run(task('b'))])).toEqual(['a', 'b'])
    expect(events).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
    expect(queue.size).toBe(0)
  })

  test('a task that fails stops none of the others', async () => {
    const queue = new SerialQueue(10)
    const failed = queue.run(() => Promise.reject(new Error('no')))
    const next = queue.run(() => 'next')
    await expect(failed).rejects.toThrow('no')
    expect(await next).toBe('next')
  })

  test('refuses a task when it is full', async () => {
    const queue = new SerialQueue(1)
    const first = queue.run(() => 1)
    await expect(queue.run(() => 2)).rejects.toThrow(QueueFullError)
    expect(await first).toBe(1)
    expect(await queue.run(() => 3)).toBe(3)
  })

  test('closing waits for what is queued and refuses the rest', async () => {
    const queue = new SerialQueue(10)
    let done = false
    void queue.run(async () => {
      await Promise.resolve()
      done = true
    })
    await queue.close()
    expect(done).toBe(true)
    await expect(queue.run(() => 1)).rejects.toThrow(QueueClosedError)
  })
})
