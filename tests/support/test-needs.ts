/** What a test file imports, directly or through others, tells what it needs and how heavy it is. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'

import type { Prerequisite } from '../setup/prerequisite.ts'

const SETUP_FOLDER = path.resolve(import.meta.dirname, '../setup')

/** Helpers (tests/support/) that run several processes or machines at once. */
const HEAVY_HELPERS = [
  'start-cluster.ts',
  'etcd.ts',
  'systemd-hosts.ts',
  'stand-in-aws.ts',
  'free-ports.ts',
  'small-disk.ts',
].map((name) => path.join(import.meta.dirname, name))

/** Whether a test runs so much at once that it is not to share the processor with other tests. */
export function isHeavy(testFile: string): boolean {
  const imported = withImports([testFile])
  return HEAVY_HELPERS.some((helper) => imported.has(helper))
}

/** The prerequisites (tests/setup/) of the test files, sorted by name; each once. */
export async function prerequisitesOf(testFiles: readonly string[]): Promise<Prerequisite<unknown>[]> {
  const files = [...withImports(testFiles)].filter((file) => path.dirname(file) === SETUP_FOLDER)
  const modules: object[] = await Promise.all(files.map((file) => import(file)))
  const found = modules.flatMap((module) => Object.values(module).filter(isPrerequisite))
  return [...new Set(found)].toSorted((a, b) => a.name.localeCompare(b.name))
}

/** The files and everything of the project that they import. */
function withImports(files: readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>()
  const waiting = [...files]
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (seen.has(file) || !existsSync(file)) continue
    seen.add(file)
    for (const [, target] of readFileSync(file, 'utf8').matchAll(
      /(?:from|import|import\()\s*'(\.[^']+\.ts)'/g,
    )) {
      waiting.push(path.resolve(path.dirname(file), target!))
    }
  }
  return seen
}

function isPrerequisite(value: unknown): value is Prerequisite<unknown> {
  return (
    typeof value === 'object' && value !== null && 'ensure' in value && 'find' in value && 'name' in value
  )
}
