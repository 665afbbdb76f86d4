/** `npm run provision` on this machine, as an operator meets it: the real command, real brokers. */
import { spawn } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import process from 'node:process'

import { jest } from '@jest/globals'
import { execa } from 'execa'

import { identify } from '../../../provision/local/process-identity.ts'
import { freePorts } from '../../support/free-ports.ts'
import { tempFolder } from '../../support/temp-folder.ts'

jest.setTimeout(120_000)

const MAIN = path.resolve(import.meta.dirname, '../../../provision/main.ts')
const folders: string[] = []

// Before the temporary folder, which would take from these clusters the files that tell their processes.
afterAll(async () => {
  const left = folders.filter((folder) => existsSync(path.join(folder, 'cluster.json')))
  const destroyed = await Promise.all(
    left.map((folder) => provision('--local', '--folder', folder, 'destroy', '--yes')),
  )
  expect(destroyed.map(({ stderr }) => stderr)).toEqual(left.map(() => ''))
})

const newPath = tempFolder()

interface Ended {
  readonly exitCode?: number | undefined
  readonly stdout: string
  readonly stderr: string
}

interface BrokerStatus {
  readonly id: number
  readonly state: string
  readonly pid: number
  readonly port: number
  readonly inSync: number
  readonly replicas: number
}

/** One cluster's folder and ports, and the command for it. */
async function newCluster(): Promise<{
  folder: string
  port: number
  run: (...args: string[]) => Promise<Ended>
  status: () => Promise<{ healthy: boolean; brokers: BrokerStatus[]; clusterId: string }>
}> {
  const folder = newPath('cluster')
  const port = await freePorts(3)
  folders.push(folder)
  const run = (...args: string[]): Promise<Ended> => provision('--local', '--folder', folder, ...args)
  return { folder, port, run, status: async () => JSON.parse((await run('status', '--json')).stdout) }
}

async function provision(...args: string[]): Promise<Ended> {
  return await execa(process.execPath, [MAIN, ...args], { reject: false, timeout: 90_000, stdin: 'ignore' })
}

describe('a cluster on this machine', () => {
  const cluster = newCluster()

  test('is made, serves, and is shown', async () => {
    const { run, port, status } = await cluster
    const made = await run('--port', String(port))
    expect(made.stderr).toBe('')
    expect(made.exitCode).toBe(0)
    expect(made.stdout).toMatch(
      /✓ records {5}written and read through brokers 1, 2, 3 \(a topic of replication factor 3\)/,
    )
    expect(made.stdout).toContain(`127.0.0.1:${port},127.0.0.1:${port + 1},127.0.0.1:${port + 2}`)
    const { healthy, brokers } = await status()
    expect(healthy).toBe(true)
    expect(brokers.map((broker) => [broker.id, broker.state, broker.port])).toEqual([
      [1, 'serving', port],
      [2, 'serving', port + 1],
      [3, 'serving', port + 2],
    ])
  })

  test('a second run changes nothing and says so', async () => {
    const { run, status } = await cluster
    const before = await status()
    const again = await run('--json')
    expect(JSON.parse(again.stdout)).toMatchObject({ ok: true, changed: 0, changes: [] })
    expect((await run()).stdout).toContain('0 changed')
    expect(await status()).toEqual(before)
  })

  test('a killed broker is told by status, and is the only one that the next run starts', async () => {
    const { run, status } = await cluster
    const before = await status()
    process.kill(before.brokers[1]!.pid, 'SIGKILL')
    const shown = await run('status')
    expect(shown.exitCode).toBe(3)
    expect(shown.stdout).toMatch(/^2 +stopped/m)
    const again = JSON.parse((await run('--json')).stdout) as { changes: string[] }
    expect(again.changes).toEqual(['started broker 2'])
    const after = await status()
    expect(after.healthy).toBe(true)
    expect(after.brokers.map(({ pid }) => pid === before.brokers[1]!.pid)).toEqual([false, false, false])
    expect(after.brokers[0]!.pid).toBe(before.brokers[0]!.pid)
    expect(after.brokers[2]!.pid).toBe(before.brokers[2]!.pid)
  })

  test('is stopped with its data kept, and comes back as the same cluster', async () => {
    const { folder, run, status } = await cluster
    const before = await status()
    const stopped = await run('stop')
    expect(stopped.exitCode).toBe(0)
    expect(before.brokers.map(({ pid }) => identify(pid))).toEqual([undefined, undefined, undefined])
    expect(existsSync(path.join(folder, 'broker1/logs/.kafka_cleanshutdown'))).toBe(true)
    expect((await run('stop')).stdout).toBe('0 changed: no broker was running')
    expect((await run()).exitCode).toBe(0)
    expect((await status()).clusterId).toBe(before.clusterId)
  })

  test('is not destroyed without being asked to, and leaves what is not its own', async () => {
    const { folder, run } = await cluster
    const refused = await run('destroy')
    expect(refused.exitCode).toBe(1)
    expect(refused.stderr).toContain('--yes')
    writeFileSync(path.join(folder, 'notes.txt'), 'mine')
    const destroyed = await run('destroy', '--yes')
    expect(destroyed.stdout).toContain('except notes.txt')
    expect(readFileSync(path.join(folder, 'notes.txt'), 'utf8')).toBe('mine')
    expect(existsSync(path.join(folder, 'broker1'))).toBe(false)
  })
})

describe('when something is wrong, nothing is half-started', () => {
  test('a taken port', async () => {
    const { folder, port, run } = await newCluster()
    const server = createServer().listen(port + 1, '127.0.0.1')
    try {
      const refused = await run('--port', String(port))
      expect(refused.exitCode).toBe(1)
      expect(refused.stderr).toMatch(
        new RegExp(`port ${port + 1} is taken by process ${process.pid}.*--port`),
      )
      expect(existsSync(folder)).toBe(false)
    } finally {
      server.close()
    }
  })

  test('a full disk', async () => {
    // A file system without a free byte that every Linux has.
    const refused = await provision(
      '--local',
      '--folder',
      '/proc/brokerkit',
      '--port',
      String(await freePorts(3)),
    )
    expect(refused.exitCode).toBe(1)
    expect(refused.stderr).toContain('the disk of /proc/brokerkit has 0.00 GiB free')
  })

  test('a broker that cannot start: its own words, and the others are stopped again', async () => {
    const { folder, port, run, status } = await newCluster()
    await run('--port', String(port))
    await run('stop')
    appendFileSync(path.join(folder, 'broker2/server.properties'), 'log.segment.bytes=many\n')
    const failed = await run()
    expect(failed.exitCode).toBe(1)
    expect(failed.stderr).toMatch(/broker 2 did not start:.*log\.segment\.bytes/s)
    expect((await status()).brokers.map(({ state }) => state)).toEqual(['stopped', 'stopped', 'stopped'])
  })

  test('a spoilt pid file: which one, and what to do', async () => {
    const { folder, port, run } = await newCluster()
    await run('--port', String(port))
    await run('stop')
    const file = path.join(folder, 'broker3/broker.pid')
    writeFileSync(file, 'what?')
    const refused = await run()
    expect(refused.exitCode).toBe(1)
    expect(refused.stderr).toMatch(/broker3\/broker\.pid is broken.*delete this file/s)
    rmSync(file)
  })

  test('a foreign cluster.id: the broker says so, and recover-meta mends it and keeps the file as it was', async () => {
    const { folder, port, run, status } = await newCluster()
    await run('--port', String(port))
    await run('stop')
    const file = path.join(folder, 'broker2/logs/meta.properties')
    const spoilt = readFileSync(file, 'utf8').replace(/cluster\.id=.*/, 'cluster.id=AAAAAAAAAAAAAAAAAAAAAA')
    writeFileSync(file, spoilt)
    expect((await run()).stderr).toMatch(/broker 2 did not start:.*recover-meta --node 2/s)
    const recovered = await run('recover-meta', '--node', '2', '--json')
    expect(recovered.stderr).toBe('')
    const { backups } = JSON.parse(recovered.stdout) as { backups: string[] }
    expect(backups.map((backup) => readFileSync(backup, 'utf8'))).toEqual([spoilt])
    const { healthy, clusterId } = await status()
    expect(healthy).toBe(true)
    expect(readFileSync(file, 'utf8')).toContain(`\ncluster.id=${clusterId}\n`)
  })

  test("somebody else's folder", async () => {
    const folder = newPath('photos')
    mkdirSync(folder)
    writeFileSync(path.join(folder, 'holiday.jpg'), '')
    for (const verb of [[], ['status'], ['stop'], ['destroy', '--yes']]) {
      const refused = await provision('--local', '--folder', folder, ...verb)
      expect(refused.exitCode).toBe(1)
      expect(refused.stderr).toContain('holds holiday.jpg but no cluster.json')
    }
    expect(existsSync(path.join(folder, 'holiday.jpg'))).toBe(true)
  })

  test('Ctrl+C: what was started is stopped again', async () => {
    const { folder, port, status } = await newCluster()
    const args = [MAIN, '--local', '--folder', folder, '--port', String(port)]
    const command = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = new Promise((resolve) => command.once('exit', resolve))
    await new Promise<void>((resolve) =>
      command.stdout.on('data', (data: Buffer) => String(data).includes('settings') && resolve()),
    )
    command.kill('SIGINT')
    expect(await ended).toBe(130)
    expect((await status()).brokers.map(({ state }) => state)).toEqual(['stopped', 'stopped', 'stopped'])
  })
})

test('a wrong command line is exit code 2', async () => {
  expect((await provision('--local', 'stauts')).exitCode).toBe(2)
  expect((await provision('--local', '--port', '0')).exitCode).toBe(2)
})
