import { createProgress } from '../../provision/progress.ts'

function recorder(isTTY: boolean): { isTTY: boolean; written: string; write(text: string): void } {
  return {
    isTTY,
    written: '',
    write(text) {
      this.written += text
    },
  }
}

function fakeTime(): () => number {
  let nowMs = 0
  return () => (nowMs += 250)
}

test('a step is one plain line with its result and time', async () => {
  const output = recorder(false)
  const value = await createProgress(output, fakeTime()).step('preflight', async (result) => {
    result('ports free')
    return 7
  })
  expect(value).toBe(7)
  expect(output.written).toBe('✓ preflight   ports free  0.25 s\n')
})

test('a step that fails has its line, and the error goes on', async () => {
  const output = recorder(false)
  const step = createProgress(output, fakeTime()).step('start', () => Promise.reject(new Error('no')))
  await expect(step).rejects.toThrow('no')
  expect(output.written).toBe('✗ start       0.25 s\n')
})

test('a terminal shows the step under way, in colours', async () => {
  const output = recorder(true)
  await createProgress(output, fakeTime()).step('start', async () => {})
  expect(output.written).toContain('… start')
  expect(output.written).toContain('[32m✓')
})
