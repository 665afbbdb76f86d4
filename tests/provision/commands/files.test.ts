/** The scripts of commands/ run here, by a real shell, on a folder of their own: as this user instead of root. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import path from 'node:path'

import * as files from '../../../provision/commands/files.ts'
import { commentClusterIdOut } from '../../../provision/commands/meta-properties.ts'
import * as release from '../../../provision/commands/release.ts'
import type { Command } from '../../../provision/commands/shell.ts'

let folder: string
const own = `${userInfo().username}:${execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim()}`

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'brokerkit-commands-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

function run({ argv }: Command, input = ''): string {
  return execFileSync(argv[0]!, argv.slice(1), { encoding: 'utf8', input, stdio: 'pipe' })
}

function at(name: string): string {
  return path.join(folder, name)
}

test('a look tells files, folders, links and nothing apart', () => {
  writeFileSync(at('file'), 'abc')
  chmodSync(at('file'), 0o640)
  mkdirSync(at('folder'), 0o755)
  symlinkSync('file', at('link'))
  const look = (name: string): ReturnType<typeof files.parseLook> =>
    files.parseLook(run(files.lookAt(at(name))))
  expect(look('file')).toEqual({
    kind: 'file',
    owner: own,
    mode: '0640',
    sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  })
  expect(look('folder')).toEqual({ kind: 'folder', owner: own, mode: '0755' })
  expect(look('link')).toMatchObject({ kind: 'link' })
  expect(look('nothing')).toBeUndefined()
})

test('an answer that is not one is an error, not an empty look', () => {
  expect(() => files.parseLook('')).toThrow('not a look at a file')
})

test('a file is replaced as a whole, with its owner and mode, and nothing is left beside it', () => {
  writeFileSync(at('settings'), 'old and longer')
  run(files.putFile(at('settings'), { owner: own, mode: '0640' }), 'new\n')
  expect(readFileSync(at('settings'), 'utf8')).toBe('new\n')
  expect(statSync(at('settings')).mode & 0o7777).toBe(0o640)
  expect(readdirSync(folder)).toEqual(['settings'])
})

test('what a service has written so far stays when its output file is ensured', () => {
  writeFileSync(at('kafka.log'), 'said before')
  run(files.putAppendedFile(at('kafka.log'), { owner: own, mode: '0640' }))
  expect(readFileSync(at('kafka.log'), 'utf8')).toBe('said before')
})

test('the cluster id is commented out, and nothing else of meta.properties changes', () => {
  const text = '#\n#Sat, 21 Nov 2026\nversion=1\ncluster.id=abc\nnode.id=2\ndirectory.id=xyz\n'
  writeFileSync(at('meta.properties'), text)
  chmodSync(at('meta.properties'), 0o640)
  const backup = run(commentClusterIdOut(folder, '2026-11-21')).trim()
  expect(backup).toBe(at('meta.properties.2026-11-21.bak'))
  expect(readFileSync(backup, 'utf8')).toBe(text)
  expect(readFileSync(at('meta.properties'), 'utf8')).toBe(text.replace('cluster.id', '#cluster.id'))
  expect(statSync(at('meta.properties')).mode & 0o7777).toBe(0o640)
})

test('an existing backup is never overwritten', () => {
  writeFileSync(at('meta.properties'), 'cluster.id=second\n')
  writeFileSync(at('meta.properties.t.bak'), 'cluster.id=first\n')
  run(commentClusterIdOut(folder, 't'))
  expect(readFileSync(at('meta.properties.t.bak'), 'utf8')).toBe('cluster.id=first\n')
})

describe('releases', () => {
  const SUMS = 'SHA256SUMS'

  function archive(content: string, sum = content): { bytes: Buffer; sha256: string } {
    mkdirSync(at('built'), { recursive: true })
    writeFileSync(at('built/program'), content)
    const digest = execFileSync('sha256sum', { input: sum, encoding: 'utf8' }).split(' ')[0]!
    writeFileSync(at(`built/${SUMS}`), `${digest}  program\n`)
    const bytes = execFileSync('tar', ['-C', at('built'), '-czf', '-', '.'])
    const sha256 = execFileSync('sha256sum', { input: bytes, encoding: 'utf8' }).split(' ')[0]!
    return { bytes, sha256 }
  }

  function unpack(id: string, { bytes, sha256 }: { bytes: Buffer; sha256: string }): void {
    const { argv } = release.unpackRelease(folder, id, sha256)
    execFileSync(argv[0]!, argv.slice(1), { input: bytes, stdio: 'pipe' })
  }

  test('one that arrives whole is unpacked, and used by the rename of a link', () => {
    const look = (): ReturnType<typeof release.parseRelease> =>
      release.parseRelease(run(release.lookAtRelease(folder, 'two')))
    expect(look()).toEqual({ current: undefined, present: false })
    unpack('one', archive('first'))
    run(release.switchRelease(folder, 'one'))
    unpack('two', archive('second'))
    expect(look()).toEqual({ current: 'one', present: true })
    run(release.switchRelease(folder, 'two'))
    expect(look()).toEqual({ current: 'two', present: true })
    expect(readFileSync(at('current/program'), 'utf8')).toBe('second')
    expect(readdirSync(at('releases')).toSorted()).toEqual(['one', 'two'])
  })

  test.each([
    ['a cut archive', (whole: Buffer) => whole.subarray(0, -20)],
    ['a changed archive', (whole: Buffer) => Buffer.concat([whole, Buffer.from('x')])],
  ])('%s leaves nothing that could be taken for a release', (_, damage) => {
    const { bytes, sha256 } = archive('first')
    expect(() => unpack('one', { bytes: damage(bytes), sha256 })).toThrow(/FAILED|checksum/)
    expect(readdirSync(at('releases'))).toEqual([])
  })

  test('a file that is not what SHA256SUMS says is refused', () => {
    expect(() => unpack('one', archive('first', 'something else'))).toThrow(/program: FAILED/)
    expect(readdirSync(at('releases'))).toEqual([])
  })

  test('old ones are removed, the one in use and the one before are kept', () => {
    for (const id of ['a', 'b', 'c', 'd']) mkdirSync(at(`releases/${id}`), { recursive: true })
    expect(run(release.pruneReleases(folder, ['c', 'd'])).trim()).toBe('2')
    expect(readdirSync(at('releases')).toSorted()).toEqual(['c', 'd'])
  })
})
