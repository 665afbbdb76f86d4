/** The commands of `npm run provision` for a cluster on this machine: what each one says when it has ended. */
import path from 'node:path'
import process from 'node:process'

import { EXIT_CODES, InterruptedError } from '../outcome.ts'
import type { Commands, Outcome } from '../outcome.ts'
import type { Progress } from '../progress.ts'
import { ProvisionError } from '../provision-error.ts'
import { formatTable } from '../table.ts'
import { CLUSTER_NAME } from './local-cluster.ts'
import type { LocalCluster } from './local-cluster.ts'
import { DEFAULT_FOLDER, provisionLocal } from './provision-local.ts'
import type { ProvisionLocalResult } from './provision-local.ts'
import { recoverMetaLocal } from './recover-meta-local.ts'
import { formatLocalStatus, localStatus } from './status-local.ts'
import { destroyLocal, stopLocal } from './stop-local.ts'

export interface LocalOptions {
  readonly folder: string
  readonly port?: number
  readonly progress: Progress
}

export function localCommands(options: LocalOptions): Commands {
  return {
    provision: () => provision(options),
    status: () => status(options),
    stop: () => stop(options),
    destroy: (yes) => destroy(options, yes),
    recoverMeta: (node) => recoverMeta(options, node),
  }
}

async function provision(options: LocalOptions): Promise<Outcome> {
  const startedAt = performance.now()
  const result = await interruptible((cancel) => provisionLocal({ ...options, cancel }))
  const elapsedMs = Math.round(performance.now() - startedAt)
  return {
    exitCode: EXIT_CODES.done,
    text: describeProvisioned(result, elapsedMs),
    json: { ok: true, ...result, changed: result.changes.length, elapsedMs },
  }
}

/** Ctrl+C and SIGTERM abort the signal instead of ending the process; a second time they end it. */
async function interruptible<T>(work: (cancel: AbortSignal) => Promise<T>): Promise<T> {
  const cancel = new AbortController()
  const interrupt = (signal: string): void =>
    cancel.abort(new InterruptedError(`interrupted by ${signal}: what was started has been stopped again`))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt)
  try {
    return await work(cancel.signal)
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt)
  }
}

function describeProvisioned(result: ProvisionLocalResult, elapsedMs: number): string {
  const seconds = (elapsedMs / 1000).toFixed(1)
  const first = result.bootstrap[0]!
  const did =
    result.changes.length === 0 ? '0 changed: everything runs as it should.' : `Done in ${seconds} s.`
  const again = `npm run provision -- ${result.folder === path.resolve(DEFAULT_FOLDER) ? '' : `--folder ${result.folder} `}`
  const next = formatTable([
    [`  echo 'first record' | kcat -b ${first} -t hello -P`, 'write a record; the topic is made on the way'],
    [`  kcat -b ${first} -t hello -C -e`, 'read it'],
    [`  ${again}status`, 'what runs, who leads'],
    [`  ${again}stop`, 'stop the brokers, keep the data'],
    [`  ${again}destroy`, 'stop them and delete the data'],
  ])
  return `
${did} Clients connect to

  ${result.bootstrap.join(',')}

Try it:
${next}

Settings, data and the brokers' output are in ${result.folder}`
}

async function status({ folder }: LocalOptions): Promise<Outcome> {
  const found = await localStatus(folder)
  if (found === undefined) {
    return {
      exitCode: EXIT_CODES.unwell,
      text: `no cluster in ${folder}: npm run provision makes one`,
      json: { ok: true, cluster: null, healthy: false },
    }
  }
  return {
    exitCode: found.healthy ? EXIT_CODES.done : EXIT_CODES.unwell,
    text: formatLocalStatus(found),
    json: { ok: true, ...found },
  }
}

async function stop(options: LocalOptions): Promise<Outcome> {
  const result = await stopLocal(options)
  return {
    exitCode: EXIT_CODES.done,
    text:
      result.stopped.length === 0
        ? '0 changed: no broker was running'
        : `The data is kept in ${result.folder}`,
    json: { ok: true, ...result, changed: result.stopped.length },
  }
}

async function destroy(options: LocalOptions, yes: boolean): Promise<Outcome> {
  const result = await destroyLocal({ ...options, confirm: yes ? async () => true : askForName })
  return {
    exitCode: EXIT_CODES.done,
    text: result.deleted ? '' : `0 changed: no cluster in ${result.folder}`,
    json: { ok: true, ...result, changed: result.deleted ? 1 : 0 },
  }
}

async function recoverMeta(options: LocalOptions, node: number): Promise<Outcome> {
  const result = await interruptible((cancel) => recoverMetaLocal({ ...options, cancel }, node))
  return { exitCode: EXIT_CODES.done, text: `Broker ${node} serves again.`, json: { ok: true, ...result } }
}

async function askForName(cluster: LocalCluster): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new ProvisionError(
      'destroy deletes all data of the cluster and nobody is here to ask: say --yes to do it',
    )
  }
  const { question } = await import('zx')
  const answer = await question(
    `This deletes ${cluster.folder} with all its data. Type the cluster's name, ${CLUSTER_NAME}, to go on: `,
    { output: process.stderr },
  )
  return answer.trim() === CLUSTER_NAME
}
