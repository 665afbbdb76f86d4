/** kcat, the command-line client on librdkafka: a package of Debian and Ubuntu. */
import { execa } from 'execa'

import { aptInstall } from './apt.ts'
import type { Availability, Prerequisite } from './prerequisite.ts'

export interface Kcat {
  readonly path: string
  /** Of kcat and librdkafka, as it says itself. */
  readonly version: string
}

async function find(): Promise<Availability<Kcat>> {
  const shown = await execa('kcat', ['-V'], { reject: false })
  const version = /Version ([^)]*\))/.exec(shown.stdout ?? '')?.[1]
  return version === undefined
    ? { available: false, missing: 'the program kcat (Debian and Ubuntu: apt-get install kcat)' }
    : { available: true, value: { path: 'kcat', version } }
}

export const kcat: Prerequisite<Kcat> = {
  name: 'kcat',
  find,
  async ensure(report) {
    const found = await find()
    if (found.available) return found
    const failure = await aptInstall(['kcat'], report)
    return failure === undefined ? find() : { available: false, missing: `kcat: ${failure}` }
  },
}
