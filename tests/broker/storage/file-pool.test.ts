/** No more files are open than allowed, and no byte is lost by that. */
import { pooledFiles } from '../../../broker/storage/file-pool.ts'
import type { Files, OpenFile } from '../../../broker/storage/files.ts'
import { CrashingFiles } from '../../support/crashing-files.ts'

let open: Set<OpenFile>
let mostOpen: number
let files: Files

beforeEach(() => {
  open = new Set()
  mostOpen = 0
  const inner = new CrashingFiles()
  const openInner = inner.open.bind(inner)
  inner.open = (path, options) => {
    const file = openInner(path, options)
    const close = file.close.bind(file)
    const counted: OpenFile = Object.assign(file, {
      close: () => {
        open.delete(counted)
        close()
      },
    })
    open.add(counted)
    mostOpen = Math.max(mostOpen, open.size)
    return counted
  }
  files = pooledFiles(inner, 3)
})

const nameOf = (index: number): string => `/file-${index}`

test('ten files are written and read in turn, three of them open', () => {
  const all = Array.from({ length: 10 }, (_, index) => files.open(nameOf(index), { create: true }))
  for (let round = 0; round < 5; round++) {
    for (const [index, file] of all.entries()) file.write([Buffer.from([index, round])], round * 2)
  }
  for (const [index, file] of all.entries()) {
    const bytes = Buffer.alloc(10)
    expect(file.read(bytes, 0)).toBe(10)
    expect([...bytes]).toEqual([0, 1, 2, 3, 4].flatMap((round) => [index, round]))
  }
  expect(mostOpen).toBe(3)
  for (const file of all) file.close()
  expect(open.size).toBe(0)
})

test('a file is not opened before it is used, and is created at once', () => {
  files.open('/new', { create: true })
  expect([files.exists('/new'), open.size]).toEqual([true, 1])
  const absent = files.open('/absent')
  expect(open.size).toBe(1)
  expect(() => absent.size()).toThrow('ENOENT')
})

test('one that is in use all the time stays open', () => {
  const busy = files.open('/busy', { create: true })
  busy.write([Buffer.from('a')], 0)
  const [handle] = open
  for (let index = 0; index < 10; index++) {
    files.open(nameOf(index), { create: true })
    busy.size()
    expect(open.has(handle!)).toBe(true)
  }
})

test('one that is being synced is not closed', async () => {
  const synced = files.open('/synced', { create: true })
  const [handle] = open
  const done = synced.sync()
  for (let index = 0; index < 10; index++) files.open(nameOf(index), { create: true })
  expect(open.has(handle!)).toBe(true)
  await done
  for (let index = 0; index < 10; index++) files.open(nameOf(index + 10), { create: true })
  expect(open.has(handle!)).toBe(false)
})
