import {
  importedModules,
  importedPackages,
  neededPackages,
  runsOn,
  type Lock,
} from '../../provision/release-packages.ts'

function lock(packages: Lock['packages']): Lock {
  const complete = Object.entries(packages).map(([place, fields]) => [
    place,
    { version: '1.0.0', integrity: 'sha512-x', ...fields },
  ])
  return { packages: Object.fromEntries(complete) as Lock['packages'] }
}

test('imports are those that remain when types are erased', () => {
  const source = `
    import { pino } from 'pino'
    import type { Logger } from 'types-only'
    import client, { type Registry } from 'prom-client'
    import {
      several,
      lines,
    } from '@scope/name/deep/path.js'
    import 'side-effect'
    export { thing } from 're-exported'
    export type { Thing } from 'types-only-too'
    import fs from 'node:fs'
    import { own } from './own.ts'
    const lazy = await import('lazy')
  `
  expect(importedPackages(source).toSorted()).toEqual(
    ['@scope/name', 'lazy', 'pino', 'prom-client', 're-exported', 'side-effect'].toSorted(),
  )
  expect(importedModules(source)).toContain('./own.ts')
})

test('the closure follows dependencies, nested ones first, and stops at cycles', () => {
  const found = neededPackages(
    lock({
      'node_modules/a': { dependencies: { b: '1', c: '1' } },
      'node_modules/b': { version: '1.0.0' },
      'node_modules/a/node_modules/b': { version: '2.0.0', dependencies: { c: '1' } },
      'node_modules/c': { dependencies: { a: '1' } },
      'node_modules/unrelated': {},
    }),
    ['a'],
    'x64',
  )
  expect(found.map(({ place, version }) => `${place}@${version}`)).toEqual([
    'node_modules/a@1.0.0',
    'node_modules/a/node_modules/b@2.0.0',
    'node_modules/c@1.0.0',
  ])
})

test('native parts are those of the target machine', () => {
  const packages = lock({
    'node_modules/@node-rs/crc32': {
      optionalDependencies: {
        '@node-rs/crc32-linux-x64-gnu': '1',
        '@node-rs/crc32-linux-x64-musl': '1',
        '@node-rs/crc32-linux-arm64-gnu': '1',
        '@node-rs/crc32-darwin-arm64': '1',
        'never-resolved': '1',
      },
    },
    'node_modules/@node-rs/crc32-linux-x64-gnu': { os: ['linux'], cpu: ['x64'], libc: ['glibc'] },
    'node_modules/@node-rs/crc32-linux-x64-musl': { os: ['linux'], cpu: ['x64'], libc: ['musl'] },
    'node_modules/@node-rs/crc32-linux-arm64-gnu': { os: ['linux'], cpu: ['arm64'], libc: ['glibc'] },
    'node_modules/@node-rs/crc32-darwin-arm64': { os: ['darwin'], cpu: ['arm64'] },
  })
  const names = (architecture: 'x64' | 'arm64'): string[] =>
    neededPackages(packages, ['@node-rs/crc32'], architecture).map(({ name }) => name)
  expect(names('x64')).toEqual(['@node-rs/crc32', '@node-rs/crc32-linux-x64-gnu'])
  expect(names('arm64')).toEqual(['@node-rs/crc32', '@node-rs/crc32-linux-arm64-gnu'])
})

test('os and cpu may be one word, a list, or a list of what is excluded', () => {
  expect(runsOn({ os: 'linux', cpu: 'arm64' }, 'arm64')).toBe(true)
  expect(runsOn({ os: ['!win32'] }, 'x64')).toBe(true)
  expect(runsOn({ os: ['!linux'] }, 'x64')).toBe(false)
  expect(runsOn({ cpu: ['arm', 'arm64'] }, 'x64')).toBe(false)
})

test('a package that the lock does not have is an error that says who needs it', () => {
  expect(() =>
    neededPackages(lock({ 'node_modules/a': { dependencies: { gone: '1' } } }), ['a'], 'x64'),
  ).toThrow('package-lock.json does not have gone, which node_modules/a needs: run npm install')
})
