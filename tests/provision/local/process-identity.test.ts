import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'

import { identify, isRunning } from '../../../provision/local/process-identity.ts'

test('a process is known again while it runs, and not after it has ended', async () => {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  const identity = identify(child.pid!)!
  expect(isRunning(identity)).toBe(true)
  expect(identify(child.pid!)).toEqual(identity)
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(isRunning(identity)).toBe(false)
})

test('another process with the same pid is not taken for it', () => {
  const own = identify(process.pid)!
  expect(isRunning({ ...own, startTime: `${own.startTime}0` })).toBe(false)
})
