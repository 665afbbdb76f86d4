/** Who may import whom (ARCHITECTURE.md, "Layers"), and which packages are met in which one file. */
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '..')

/** Each part with the parts that it leans on. A part may always import itself. */
const layers: Readonly<Record<string, readonly string[]>> = {
  'broker/protocol': [],
  'broker/runtime': ['broker/protocol'],
  'broker/config': ['broker/protocol', 'broker/runtime'],
  'broker/network': ['broker/protocol', 'broker/runtime', 'broker/config'],
  'broker/storage': ['broker/protocol', 'broker/runtime', 'broker/config'],
  'broker/metadata': ['broker/protocol', 'broker/runtime', 'broker/config', 'broker/storage'],
  'broker/replication': [
    'broker/protocol',
    'broker/runtime',
    'broker/config',
    'broker/storage',
    'broker/metadata',
    'broker/network',
  ],
  'broker/coordinator': [
    'broker/protocol',
    'broker/runtime',
    'broker/config',
    'broker/storage',
    'broker/metadata',
    'broker/replication',
  ],
  'broker/handlers': [
    'broker/protocol',
    'broker/runtime',
    'broker/config',
    'broker/storage',
    'broker/metadata',
    'broker/replication',
    'broker/coordinator',
  ],
  'broker/dispatch.ts': ['broker/protocol', 'broker/runtime', 'broker/config', 'broker/handlers'],
  'broker/main.ts': ['broker/run.ts'],
  'broker/run.ts': ['broker/config', 'broker/runtime', 'broker/server.ts', 'broker/storage'],
  tools: ['broker/protocol'],
  docs: ['broker/config'],
  provision: ['broker/runtime', 'broker/config', 'broker/storage', 'broker/metadata', 'systemd', 'tools'],
  stacks: ['provision'],
  systemd: [],
}

/** Packages that one part needs are met in one file; the rest of the part knows only our own type. */
const packageHomes: Readonly<Record<string, readonly string[]>> = {
  ssh2: ['provision/host.ts', 'stacks/host-keys.ts'],
  '@node-rs/crc32': ['broker/protocol/crc32c.ts'],
  pino: ['broker/runtime/logger.ts'],
  'prom-client': ['broker/runtime/metrics.ts'],
  'node:sqlite': ['broker/metadata/drivers/embedded-database.ts', 'broker/storage/directory-lock.ts'],
  cdktf: ['stacks/'],
  '@cdktf/provider-aws': ['stacks/'],
  '@platformatic/kafka': ['tools/'],
}

function sources(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
}

function partOf(file: string): string | undefined {
  return Object.keys(layers)
    .toSorted((a, b) => b.length - a.length)
    .find((part) => file === part || file.startsWith(`${part}/`))
}

interface Import {
  file: string
  target: string
}

const imports: Import[] = ['broker', 'provision', 'stacks', 'systemd', 'tools'].flatMap((folder) =>
  sources(folder).flatMap((file) =>
    [...readFileSync(path.join(root, file), 'utf8').matchAll(/(?:from|import|import\()\s*'([^']+)'/g)].map(
      (match) => ({
        file,
        target: match[1]!.startsWith('.') ? path.join(path.dirname(file), match[1]!) : match[1]!,
      }),
    ),
  ),
)

test('the check sees the imports of every part', () => {
  expect(imports.length).toBeGreaterThan(20)
})

test('each part imports only the parts that it leans on', () => {
  const broken = imports.filter(({ file, target }) => {
    const from = partOf(file)
    if (from === undefined || !/^(broker|provision|stacks|systemd|tools)\//.test(target)) return false
    const to = partOf(target) ?? target
    return to !== from && !layers[from]!.includes(to)
  })
  expect(broken.map(({ file, target }) => `${file} imports ${target}`)).toEqual([])
})

test('a package that one part needs is met in one file', () => {
  const broken = imports.filter(({ file, target }) => {
    const home = Object.entries(packageHomes).find(
      ([name]) => target === name || target.startsWith(`${name}/`),
    )
    return home !== undefined && !home[1].some((place) => file === place || file.startsWith(place))
  })
  expect(broken.map(({ file, target }) => `${file} imports ${target}`)).toEqual([])
})
