import { Closers } from '../../../broker/runtime/closers.ts'
import { systemClock } from '../../../broker/runtime/clock.ts'
import { type Logger, silentLogger } from '../../../broker/runtime/logger.ts'

test('what was started is closed in reverse, one after another, and a failure is logged and stops nothing', async () => {
  const errors: object[] = []
  const logger: Logger = { ...silentLogger, error: (fields) => void errors.push(fields) }
  const closers = new Closers(systemClock, logger)
  const events: string[] = []
  for (const name of ['first', 'second', 'third']) {
    closers.push(name, async () => {
      events.push(`${name} closes`)
      await Promise.resolve()
      if (name === 'second') throw new Error('no')
      events.push(`${name} is closed`)
    })
  }
  await closers.closeAll()
  expect(events).toEqual([
    'third closes',
    'third is closed',
    'second closes',
    'first closes',
    'first is closed',
  ])
  expect(errors).toEqual([expect.objectContaining({ closing: 'second' })])
  await closers.closeAll()
  expect(events).toHaveLength(5)
})
