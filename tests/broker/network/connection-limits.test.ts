import { loadConfig } from '../../../broker/config/config.ts'
import { connectionLimits, requestMemoryBytes } from '../../../broker/network/connection-limits.ts'

const MiB = 1024 * 1024

function configOf(settings: Readonly<Record<string, string>>) {
  return loadConfig({ 'node.id': '1', 'quorum.connect': 'a:1', ...settings })
}

test('an address may have a limit of its own', () => {
  const limits = connectionLimits(
    configOf({
      'max.connections.per.ip': '5',
      'max.connections.per.ip.overrides': '10.0.0.1:100, [fe80::1]:7,::1:8',
    }),
  )
  expect(['10.0.0.1', 'fe80::1', '::1', '10.0.0.2'].map(limits.ofAddress)).toEqual([100, 7, 8, 5])
})

test('the budget of requests has room for the largest one', () => {
  expect(requestMemoryBytes(configOf({}))).toBe(256 * MiB)
  expect(requestMemoryBytes(configOf({ 'queued.max.request.bytes': '200000000' }))).toBe(200_000_000)
  expect(requestMemoryBytes(configOf({ 'queued.max.request.bytes': '1' }))).toBe(100 * MiB)
})
