/** moto's server, a stand-in for AWS's API: from the path, or installed by pip into a folder of its own. */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { aptInstall } from './apt.ts'
import { TOOLS_FOLDER, type Availability, type Prerequisite } from './prerequisite.ts'

export interface Moto {
  /** The program moto_server. */
  readonly path: string
}

const VERSION = '5.2.1'
const environment = path.join(TOOLS_FOLDER, `moto-${VERSION}`)
const INSTALL_TIMEOUT_MS = 300_000

export const moto: Prerequisite<Moto> = {
  name: 'moto',
  find,
  async ensure(report) {
    const found = await find()
    if (found.available) return found
    report(`installing moto ${VERSION} by pip`)
    const failure = await install(report)
    return failure === undefined ? find() : { available: false, missing: failure }
  },
}

async function find(): Promise<Availability<Moto>> {
  for (const program of ['moto_server', path.join(environment, 'bin/moto_server')]) {
    const help = await execa(program, ['--help'], { reject: false, timeout: 30_000 })
    if (!help.failed) return { available: true, value: { path: program } }
  }
  return { available: false, missing: `moto_server (pip install 'moto[ec2,server]==${VERSION}')` }
}

/** Returns what went wrong. */
async function install(report: (line: string) => void): Promise<string | undefined> {
  let failure = await run('python3', ['-m', 'venv', environment])
  if (failure !== undefined) {
    // Debian and Ubuntu keep what a virtual environment needs in a package of its own.
    if ((await aptInstall(['python3-venv'], report)) !== undefined) return failure
    failure = await run('python3', ['-m', 'venv', environment])
  }
  failure ??= await run(path.join(environment, 'bin/pip'), [
    'install',
    '--quiet',
    `moto[ec2,server]==${VERSION}`,
  ])
  if (failure !== undefined) await rm(environment, { recursive: true, force: true })
  return failure
}

/** Returns how the command failed. */
async function run(program: string, args: readonly string[]): Promise<string | undefined> {
  const result = await execa(program, [...args], { reject: false, timeout: INSTALL_TIMEOUT_MS })
  if (!result.failed) return undefined
  return [result.shortMessage, ...result.stderr.trim().split('\n').slice(-2)].join(' ')
}
