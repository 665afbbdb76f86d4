import { createHash } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { writeArchive } from '../../provision/archive.ts'
import { importedPackages, neededPackages, type Lock } from '../../provision/release-packages.ts'
import { checkMachine, etcdBinary, fetchPackage } from '../../provision/release-sources.ts'
import { buildRelease, type Release } from '../../provision/release.ts'
import { fakeProgram, smallCheckout, type SmallCheckout } from '../support/small-checkout.ts'

let folder: string
let checkout: SmallCheckout

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'brokerkit-release-'))
  checkout = smallCheckout(folder)
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

function build(cache = 'cache', etcd = { file: checkout.etcd }): Promise<Release> {
  const { root } = checkout
  return buildRelease({ root, architecture: 'x64', etcd, cache: path.join(folder, cache), report: () => {} })
}

function contents({ file }: Release): string[] {
  return execFileSync('tar', ['-tzf', file], { encoding: 'utf8' }).trim().split('\n')
}

test('a release holds the broker, the probe, what they import, Node and etcd, and nothing else', async () => {
  expect(contents(await build())).toEqual([
    'RELEASE',
    'SHA256SUMS',
    'bin/etcd',
    'bin/node',
    'broker/main.ts',
    'broker/part.ts',
    'node_modules/fast-linux-x64/package.json',
    'node_modules/fast/LICENSE',
    'node_modules/fast/index.js',
    'node_modules/fast/package.json',
    'package.json',
    'tools/probe.ts',
    'tools/shared.ts',
  ])
})

test('its checksums are those of its files, and its programs can be run', async () => {
  const release = await build()
  const unpacked = path.join(folder, 'unpacked')
  execFileSync('sh', [
    '-c',
    'mkdir "$2"; tar -xzf "$1" -C "$2"; cd "$2"; sha256sum --check --quiet SHA256SUMS',
    'sh',
    release.file,
    unpacked,
  ])
  expect(
    execFileSync('find', [unpacked, '-perm', '-u+x', '-type', 'f', '-printf', '%P\n'], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .toSorted(),
  ).toEqual(['bin/etcd', 'bin/node'])
  expect(JSON.parse(readFileSync(path.join(unpacked, 'RELEASE'), 'utf8'))).toMatchObject({ id: release.id })
})

test('the same inputs give the same bytes, wherever and whenever it is built', async () => {
  const first = await build('one')
  utimesSync(path.join(checkout.root, 'broker/main.ts'), new Date(1e12), new Date(1e12))
  const second = await build('two')
  expect(second).toMatchObject({ id: first.id, sha256: first.sha256, cached: false })
})

test('it is built once, and anew when anything in it has changed', async () => {
  const first = await build()
  expect(await build()).toEqual({ ...first, cached: true })
  checkout.write('broker/part.ts', 'export const part = 2\n')
  const second = await build()
  expect(second.cached).toBe(false)
  expect(second.id).not.toBe(first.id)
  expect(second.etcdSha256).toBe(first.etcdSha256)
})

test('of many, the last few are kept', async () => {
  for (let i = 0; i < 5; i++) {
    checkout.write('broker/part.ts', `export const part = ${i}\n`)
    await build()
  }
  expect(readdirSync(path.join(folder, 'cache/releases'))).toHaveLength(3)
})

test('a program for another machine is refused', async () => {
  checkout.write('etcd', fakeProgram('arm64', 'etcd'))
  await expect(build()).rejects.toThrow(/etcd is not a Linux program for x64, which the hosts need/)
  await expect(checkMachine('/no/such/etcd', 'x64')).rejects.toThrow('/no/such/etcd cannot be read')
})

test('a package that is installed in another version than the lock says is refused', async () => {
  checkout.write('node_modules/fast/package.json', JSON.stringify({ version: '2.0.0' }))
  await expect(build()).rejects.toThrow(
    'node_modules/fast is version 2.0.0, but package-lock.json says 1.0.0: run npm ci --omit=dev',
  )
})

test('the real broker needs its native CRC32C, and neither CDKTF nor SSH nor a compiler', () => {
  const root = path.resolve(import.meta.dirname, '../..')
  const sources = readdirSync(path.join(root, 'broker'), { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts'),
  )
  const imported = sources.flatMap((name) =>
    importedPackages(readFileSync(path.join(root, 'broker', name), 'utf8')),
  )
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as Lock
  const names = neededPackages(lock, imported, 'arm64').map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['@node-rs/crc32', '@node-rs/crc32-linux-arm64-gnu', 'pino']))
  expect(names.filter((name) => /cdktf|ssh2|typescript|jest|x64|musl|darwin/.test(name))).toEqual([])
})

describe('etcd from its official release', () => {
  const downloads = (content: Buffer | Error): Parameters<typeof etcdBinary>[2] => ({
    cache: path.join(folder, 'cache'),
    report: () => {},
    fetch: () =>
      content instanceof Error
        ? Promise.reject(content)
        : Promise.resolve(new Response(new Uint8Array(content))),
  })

  async function officialArchive(): Promise<{ bytes: Buffer; sha256: string }> {
    const file = path.join(folder, 'etcd.tar.gz')
    await writeArchive(file, [
      { path: 'etcd-v3.6.0-linux-amd64/etcd', mode: 0o755, content: fakeProgram('x64', 'official') },
      { path: 'etcd-v3.6.0-linux-amd64/README.md', mode: 0o644, content: Buffer.from('read me') },
    ])
    const bytes = readFileSync(file)
    return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') }
  }

  test('is unpacked when its SHA-256 is right, and then kept', async () => {
    const { bytes, sha256 } = await officialArchive()
    const source = { version: '3.6.0', sha256: { x64: sha256 } }
    const binary = await etcdBinary(source, 'x64', downloads(bytes))
    expect(readFileSync(binary)).toEqual(fakeProgram('x64', 'official'))
    expect(await etcdBinary(source, 'x64', downloads(new Error('not asked again')))).toBe(binary)
  })

  test('is refused when it is not, and nothing of it is kept', async () => {
    const { bytes } = await officialArchive()
    const source = { version: '3.6.0', sha256: { x64: '0'.repeat(64) } }
    await expect(etcdBinary(source, 'x64', downloads(bytes))).rejects.toThrow(
      /has the SHA-256 [0-9a-f]{64}, but cluster.yaml says 0000/,
    )
    expect(readdirSync(path.join(folder, 'cache/etcd'))).toEqual([])
  })

  test('says what is missing: a checksum, or the internet', async () => {
    const source = { version: '3.6.0', sha256: {} }
    await expect(etcdBinary(source, 'arm64', downloads(Buffer.alloc(0)))).rejects.toThrow(
      /quorum.etcd.sha256.arm64 is missing: the SHA-256 of etcd-v3.6.0-linux-arm64.tar.gz/,
    )
    const offline = downloads(new Error('getaddrinfo ENOTFOUND github.com'))
    await expect(etcdBinary({ version: '3.6.0', sha256: { x64: 'a' } }, 'x64', offline)).rejects.toThrow(
      /cannot be fetched: getaddrinfo ENOTFOUND github.com. Where there is no internet, name a binary: quorum.etcd.file/,
    )
  })
})

describe('a package for another machine', () => {
  let registry: Server
  let tarball: Buffer
  const cache = (): string => path.join(folder, 'cache')
  const fetchFast = (integrity: string): Promise<string> =>
    fetchPackage(
      { place: 'node_modules/fast', name: 'fast', version: '1.0.0', integrity },
      { cache: cache(), report: () => {}, fetch },
    )

  beforeEach(async () => {
    const file = path.join(folder, 'fast.tgz')
    const manifest = Buffer.from(JSON.stringify({ name: 'fast', version: '1.0.0' }))
    await writeArchive(file, [{ path: 'package/package.json', mode: 0o644, content: manifest }])
    tarball = readFileSync(file)
    registry = createServer((request, response) => {
      const url = `http://${request.headers.host}`
      const versions = { '1.0.0': { name: 'fast', version: '1.0.0', dist: { tarball: `${url}/fast.tgz` } } }
      if (request.url === '/fast.tgz') response.end(tarball)
      else response.end(JSON.stringify({ name: 'fast', 'dist-tags': { latest: '1.0.0' }, versions }))
    })
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
    const { port } = registry.address() as AddressInfo
    process.env['npm_config_registry'] = `http://127.0.0.1:${port}/`
    process.env['npm_config_cache'] = path.join(folder, 'npm')
    process.env['npm_config_fetch_retries'] = '0'
  })

  afterEach(() => {
    for (const name of ['registry', 'cache', 'fetch_retries']) delete process.env[`npm_config_${name}`]
    registry.close()
  })

  test('comes from the registry when it is the one in package-lock.json, and is then kept', async () => {
    const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`
    const fetched = await fetchFast(integrity)
    expect(readdirSync(fetched)).toEqual(['package.json'])
    registry.close()
    expect(await fetchFast(integrity)).toBe(fetched)
  }, 30_000)

  test('is refused when it is not, and nothing of it is kept', async () => {
    await expect(fetchFast('sha512-another')).rejects.toThrow(
      /the registry's file is not the one in package-lock.json/,
    )
    expect(readdirSync(path.join(cache(), 'packages'))).toEqual([])
  }, 30_000)

  test('that cannot be fetched leaves nothing behind that could be taken for it', async () => {
    process.env['npm_config_registry'] = 'http://127.0.0.1:9'
    await expect(fetchFast('sha512-x')).rejects.toThrow(/npm pack fast@1.0.0 failed/)
    expect(readdirSync(path.join(cache(), 'packages'))).toEqual([])
  }, 30_000)
})
