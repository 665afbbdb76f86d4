/** moto's server, a stand-in for AWS's API: from the path, or installed by pip into a folder of its own. */
import path from 'node:path'
import { execa } from 'execa'
import { TOOLS_FOLDER, type Availability, type Prerequisite } from './prerequisite.ts'
import { makePythonEnvironment } from './python-environment.ts'

export interface Moto {
  /** The program moto_server. */
  readonly path: string
}

const VERSION = '5.2.1'
const environment = path.join(TOOLS_FOLDER, `moto-${VERSION}`)

export const moto: Prerequisite<Moto> = {
  name: 'moto',
  find,
  async ensure(report) {
    const found = await find()
    if (found.available) return found
    report(`installing moto ${VERSION} by pip`)
    const failure = await makePythonEnvironment(environment, [`moto[ec2,server]==${VERSION}`], report)
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
