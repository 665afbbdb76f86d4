import { jest } from '@jest/globals'
import { fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { EmbeddedStore } from '../../../../broker/metadata/drivers/embedded.ts'
import { systemClock } from '../../../../broker/runtime/clock.ts'
import { silentLogger } from '../../../../broker/runtime/logger.ts'
import { StoreFollower } from '../../../support/follow-store.ts'
import { describeStoreContract } from '../store-contract.ts'

jest.setTimeout(60_000)

const folder = mkdtempSync(path.join(tmpdir(), 'brokerkit-embedded-'))
const children: ChildProcess[] = []
let files = 0

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const freshFile = (): string => path.join(folder, `${++files}`, 'metadata.db')
const openStore = (file: string): EmbeddedStore =>
  new EmbeddedStore({ file, clock: systemClock, logger: silentLogger })

describeStoreContract(() => ({ freshTree: freshFile, open: openStore, leaseMs: 400 }))

/** Another process that shares the file, holds a lease and counts; resolves once it does. */
async function startProcess(file: string, name: string): Promise<ChildProcess> {
  const child = fork(path.join(import.meta.dirname, 'embedded-process.ts'), [file, name], {
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  children.push(child)
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve())
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)))
  })
  return child
}

describe('processes that share a file', () => {
  test('the keys of one that is killed are gone at once, and the counts of all add up', async () => {
    const file = freshFile()
    const processes = await Promise.all(['p1', 'p2', 'p3'].map((name) => startProcess(file, name)))
    const follower = await StoreFollower.open(openStore(file))
    await follower.until('all are there', () =>
      ['p1', 'p2', 'p3'].every((name) => follower.tree.has(`/live/${name}`)),
    )
    const killedMs = performance.now()
    processes[0]!.kill('SIGKILL')
    await follower.until('p1 is gone', () => !follower.tree.has('/live/p1'))
    // Their leases are of 60 s.
    expect(performance.now() - killedMs).toBeLessThan(2_000)
    expect(follower.tree.has('/live/p2')).toBe(true)

    const before = Number(follower.value('/count'))
    await follower.until('the others go on counting', () => Number(follower.value('/count')) > before + 20)
    const values = follower.history('/count').map(Number)
    expect(values).toEqual(values.map((_, i) => values[0]! + i))
    expect(follower.faults).toEqual([])
    await follower.store.close()
  })

  test('one that is stopped keeps its lease until it expires, and learns that it has lost it', async () => {
    const file = freshFile()
    const child = await startProcess(file, 'short')
    const follower = await StoreFollower.open(openStore(file))
    await follower.until('it is there', () => follower.tree.has('/live/short'))
    child.kill('SIGSTOP')
    await follower.until('its lease has expired', () => !follower.tree.has('/live/short'))
    const told = new Promise((resolve) => child.once('message', resolve))
    child.kill('SIGCONT')
    expect(await told).toBe('lost')
    await follower.store.close()
  })
})

test('a follower that fell behind what the history holds gets the tree anew', async () => {
  const file = freshFile()
  const [reader, writer] = await Promise.all([
    StoreFollower.open(openStore(file)),
    StoreFollower.open(openStore(file)),
  ])
  // The reader's timers cannot run while this process commits without a pause.
  const { EmbeddedDatabase } = await import('../../../../broker/metadata/drivers/embedded-database.ts')
  const database = new EmbeddedDatabase(file)
  for (let i = 0; i < 10_050; i++)
    database.commit({ conditions: [], changes: [{ key: '/n', value: String(i) }] })
  database.close()
  await reader.until('the last value', () => reader.value('/n') === '10049')
  expect(reader.updates.at(-1)?.reset).toBe(true)
  expect(reader.faults).toEqual([])
  await Promise.all([reader.store.close(), writer.store.close()])
})

test('a file that is no database is refused with its name and what to do', async () => {
  const file = path.join(folder, 'garbage.db')
  writeFileSync(file, 'this is no database at all, and long enough to be read as a header'.repeat(20))
  await expect(StoreFollower.open(openStore(file))).rejects.toThrow(`${file} is damaged`)
})

test('a database of another program is refused', async () => {
  const { DatabaseSync } = await import('node:sqlite')
  const file = path.join(folder, 'other.db')
  const database = new DatabaseSync(file)
  database.exec('CREATE TABLE songs (title)')
  database.close()
  await expect(StoreFollower.open(openStore(file))).rejects.toThrow('not one of this broker')
})

test('a folder that cannot be written to is named', async () => {
  await expect(StoreFollower.open(openStore('/dev/null/metadata.db'))).rejects.toThrow('/dev/null')
})
