/** kafka-python, a client written in Python alone, from pip. */
import path from 'node:path'
import { execa } from 'execa'
import { TOOLS_FOLDER, type Availability, type Prerequisite } from './prerequisite.ts'
import { makePythonEnvironment } from './python-environment.ts'

const VERSION = '3.0.12'
const environment = path.join(TOOLS_FOLDER, `kafka-python-${VERSION}`)

export interface PythonWithKafka {
  /** The interpreter that finds the package. */
  readonly path: string
}

export const kafkaPython: Prerequisite<PythonWithKafka> = {
  name: 'kafka-python',
  find,
  async ensure(report) {
    const found = await find()
    if (found.available) return found
    report(`installing kafka-python ${VERSION} by pip`)
    const packages = [`kafka-python[crc32c,lz4,snappy,zstd]==${VERSION}`]
    const failure = await makePythonEnvironment(environment, packages, report)
    return failure === undefined ? find() : { available: false, missing: failure }
  },
}

async function find(): Promise<Availability<PythonWithKafka>> {
  const python = path.join(environment, 'bin/python')
  const imported = await execa(python, ['-c', 'import kafka'], { reject: false, timeout: 30_000 })
  return imported.failed
    ? { available: false, missing: `kafka-python ${VERSION} (python3 and pip install it)` }
    : { available: true, value: { path: python } }
}
