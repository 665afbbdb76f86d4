/** What a log directory vouches for after a kill, a clean stop, and a start of the machine. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { bootIdOfMachine, Completeness } from '../../../broker/storage/completeness.ts'
import { nodeFiles } from '../../../broker/storage/files.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'completeness-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const open = (bootId: string | undefined, stoppedCleanly = false): Completeness =>
  new Completeness({ files: nodeFiles, directory, bootId, stoppedCleanly })

test('a new directory vouches for nothing that was asked of it before', () => {
  expect(open('boot 1').since).toBeUndefined()
})

test('a process that is killed loses nothing', async () => {
  await open('boot 1').confirm(7)
  expect(open('boot 1').since).toBe(7)
  await open('boot 1').confirm(12)
  expect(open('boot 1').since).toBe(7)
})

test('a machine that starts anew may have lost records, until the broker takes part again', async () => {
  await open('boot 1').confirm(7)
  expect(open('boot 2').since).toBeUndefined()
  // Killed before it took part again: nothing has changed.
  expect(open('boot 2').since).toBeUndefined()
  await open('boot 2').confirm(20)
  expect(open('boot 2').since).toBe(20)
})

test('a clean stop outlasts the start of a machine', async () => {
  await open('boot 1').confirm(7)
  const second = open('boot 2', true)
  expect(second.since).toBe(7)
  await second.confirm(30)
  expect(open('boot 2').since).toBe(7)
})

test('a clean stop does not vouch for what was lost before it', async () => {
  await open('boot 1').confirm(7)
  // It starts, and is stopped before it takes part.
  expect(open('boot 2').since).toBeUndefined()
  expect(open('boot 2', true).since).toBeUndefined()
})

test('a directory that failed vouches for nothing', async () => {
  const first = open('boot 1')
  await first.confirm(7)
  first.forget()
  expect(open('boot 1').since).toBeUndefined()
})

test('where the system tells nothing of its boots, only a clean stop counts', async () => {
  await open(undefined).confirm(7)
  expect(open(undefined, true).since).toBe(7)
  expect(open(undefined).since).toBeUndefined()
})

test('a damaged file counts as none', () => {
  writeFileSync(path.join(directory, '.complete-since'), '{"bootId":"boot 1"')
  expect(open('boot 1').since).toBeUndefined()
})

test('Linux tells its boot', () => {
  expect(bootIdOfMachine()).toMatch(/^[0-9a-f-]{36}$/)
})
