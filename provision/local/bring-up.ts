/** Starts brokers of the local cluster and sees them through until records go through all of it. */
import { createConnection } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Progress } from '../progress.ts'
import { ProvisionError } from '../provision-error.ts'
import { lastWords, startBroker, stopBroker } from './broker-process.ts'
import type { StartedBroker } from './broker-process.ts'
import { prove, waitUntilInSync } from './health.ts'
import { brokerNames, writing } from './local-cluster.ts'
import type { LocalBroker, LocalCluster } from './local-cluster.ts'
import { isRunning } from './process-identity.ts'

const START_TIMEOUT_MS = 20_000
const UNDO_TIMEOUT_MS = 5000
const POLL_MS = 20

/** Throws ProvisionError, with the broker's own words where it did not start; then what was started is stopped. */
export async function bringUp(
  cluster: LocalCluster,
  brokers: readonly LocalBroker[],
  { progress, cancel }: { readonly progress: Progress; readonly cancel: AbortSignal },
): Promise<void> {
  const started = new Map<LocalBroker, StartedBroker>()
  try {
    await progress.step('start', async (result) => {
      for (const broker of brokers) {
        cancel.throwIfAborted()
        started.set(broker, await writing(cluster, () => startBroker(cluster.files(broker))))
      }
      await Promise.all(
        brokers.map((broker) => waitUntilListening(cluster, broker, started.get(broker)!, cancel)),
      )
      const pidList = [...started.values()].map(({ process }) => process.pid)
      result(`${brokerNames(brokers)} (${pidList.length === 1 ? 'pid' : 'pids'} ${pidList.join(', ')})`)
    })
    await progress.step('records', (result) => proveStarted(cluster, started, cancel, result))
    await progress.step('replicas', (result) => waitUntilInSync(cluster, cancel, result))
  } catch (error) {
    await undo(cluster, started)
    cancel.throwIfAborted()
    throw error
  }
}

async function waitUntilListening(
  cluster: LocalCluster,
  broker: LocalBroker,
  started: StartedBroker,
  cancel: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  while (!(await accepts(broker.port))) {
    await assertAlive(cluster, broker, started)
    if (performance.now() > deadline) {
      throw new ProvisionError(
        `broker ${broker.id} does not listen on port ${broker.port} after ${START_TIMEOUT_MS / 1000} s: ` +
          `see ${cluster.files(broker).output}`,
      )
    }
    await sleep(POLL_MS, undefined, { signal: cancel })
  }
  await assertAlive(cluster, broker, started)
}

async function assertAlive(
  cluster: LocalCluster,
  broker: LocalBroker,
  started: StartedBroker,
): Promise<void> {
  if (isRunning(started.process)) return
  const files = cluster.files(broker)
  const words = (await lastWords(files, started.outputStart)).replaceAll(/^/gm, '  ')
  throw new ProvisionError(`broker ${broker.id} did not start:\n${words}\nIts output is in ${files.output}`)
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' })
    socket.setTimeout(1000, () => socket.destroy())
    socket.once('connect', () => {
      resolve(true)
      socket.destroy()
    })
    socket.on('error', () => {})
    socket.once('close', () => resolve(false))
  })
}

/** A broker may also end once it has been listening: its own words are worth more than what a client met. */
async function proveStarted(
  cluster: LocalCluster,
  started: ReadonlyMap<LocalBroker, StartedBroker>,
  cancel: AbortSignal,
  result: (text: string) => void,
): Promise<void> {
  try {
    await prove(cluster, cancel, result)
  } catch (error) {
    for (const [broker, process] of started) await assertAlive(cluster, broker, process)
    throw error
  }
}

async function undo(cluster: LocalCluster, started: ReadonlyMap<LocalBroker, StartedBroker>): Promise<void> {
  await Promise.all(
    [...started].map(([broker, { process }]) => stopBroker(cluster.files(broker), process, UNDO_TIMEOUT_MS)),
  )
}
