/** `tools/probe.ts` against real brokers: it passes when records go through each of them, and says where they do not. */
import path from 'node:path'
import process from 'node:process'

import { jest } from '@jest/globals'
import { execa } from 'execa'

import { readClusterState } from '../../tools/cluster-state.ts'
import { type TestCluster, startCluster } from '../support/start-cluster.ts'

jest.setTimeout(60_000)

const PROBE = path.resolve(import.meta.dirname, '../../tools/probe.ts')

async function probe(
  ...args: string[]
): Promise<{ exitCode?: number | undefined; stdout: string; stderr: string }> {
  return await execa(process.execPath, [PROBE, ...args], { reject: false, timeout: 50_000 })
}

describe('against three brokers', () => {
  let cluster: TestCluster

  beforeAll(async () => {
    cluster = await startCluster({ brokers: 3 })
  })
  afterAll(() => cluster.stop())

  test('a record goes through each of them, and nothing is left behind', async () => {
    const bootstrap = cluster.bootstrap.join(',')
    const passed = await probe('--bootstrap', bootstrap, '--brokers', '3', '--json')
    expect(passed.stderr).toBe('')
    expect(JSON.parse(passed.stdout)).toMatchObject({
      ok: true,
      replicationFactor: 3,
      brokers: [{ id: 1 }, { id: 2 }, { id: 3 }],
    })
    const lines = await probe('--bootstrap', bootstrap)
    expect(
      lines.stdout.match(/^broker \d at 127\.0\.0\.1:\d+: wrote and read a record in \d+ ms$/gm),
    ).toHaveLength(3)
    expect((await readClusterState(cluster.bootstrap, 5000)).topics).toBe(0)
  })

  test('tells the state of the cluster, and of one that has lost a broker', async () => {
    expect(await readClusterState(cluster.bootstrap, 5000)).toMatchObject({
      brokers: [{ id: 1 }, { id: 2 }, { id: 3 }],
      underReplicated: [],
      offline: [],
    })
    await cluster.shutdown(3)
    const state = await readClusterState(cluster.bootstrap.toReversed(), 5000)
    expect(state.brokers.map(({ id }) => id)).toEqual([1, 2])
  })

  test('fails when brokers that should be there are not', async () => {
    const failed = await probe('--bootstrap', cluster.bootstrap.join(','), '--brokers', '3', '--timeout', '2')
    expect(failed.exitCode).toBe(1)
    expect(failed.stderr).toBe('probe failed: gave up after 2 s: waiting for 3 brokers; registered: 1, 2')
  })
})

test('fails, with the reason, where nobody listens', async () => {
  const failed = await probe('--bootstrap', '127.0.0.1:1', '--timeout', '1', '--json')
  expect(failed.exitCode).toBe(1)
  expect(JSON.parse(failed.stdout)).toEqual({
    ok: false,
    error: expect.stringContaining('127.0.0.1:1') as unknown,
  })
})

test('a wrong command line is exit code 2', async () => {
  expect((await probe()).exitCode).toBe(2)
  expect((await probe('--bootstrap', 'nonsense')).exitCode).toBe(2)
})
