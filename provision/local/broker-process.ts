/**
 * One broker of the local cluster as a background process: start, look, stop. The process outlives the command that
 * started it; `broker.pid` says which one it is, and its output goes to `broker.log`.
 */
import { spawn } from 'node:child_process'
import { copyFileSync, openSync, closeSync, statSync, truncateSync } from 'node:fs'
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

import { ProvisionError } from '../provision-error.ts'
import type { BrokerFiles } from './local-cluster.ts'
import { identify, isRunning } from './process-identity.ts'
import type { ProcessIdentity } from './process-identity.ts'

const BROKER_PROGRAM = path.resolve(import.meta.dirname, '../../broker/main.ts')
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024
const ERROR_TAIL_BYTES = 64 * 1024
const POLL_MS = 20

export interface StartedBroker {
  readonly process: ProcessIdentity
  /** Where its own output begins in broker.log. */
  readonly outputStart: number
}

/** Starts the broker and records it. Says nothing about its health: it may end at once. */
export async function startBroker(files: BrokerFiles): Promise<StartedBroker> {
  await mkdir(files.folder, { recursive: true })
  boundOutput(files)
  const output = openSync(files.output, 'a')
  const outputStart = statSync(files.output).size
  try {
    const child = spawn(process.execPath, [BROKER_PROGRAM, files.properties], {
      cwd: files.folder,
      detached: true,
      stdio: ['ignore', output, output],
    })
    const spawned = await new Promise<ProcessIdentity | undefined>((resolve, reject) => {
      child.once('error', reject)
      child.once('spawn', () => resolve(identify(child.pid!)))
    })
    child.unref()
    // It may have ended already; then the recorded identity is one that no process has.
    const identity = spawned ?? { pid: child.pid!, startTime: 'ended at once' }
    await record(files, identity)
    return { process: identity, outputStart }
  } finally {
    closeSync(output)
  }
}

/** A broker that is not recorded could not be found again, so it is not left running. */
async function record(files: BrokerFiles, identity: ProcessIdentity): Promise<void> {
  try {
    await writeFile(files.pid, `${JSON.stringify(identity)}\n`)
  } catch (error) {
    signal(identity, 'SIGKILL')
    throw error
  }
}

/** Keeps broker.log bounded: what is above the limit moves to broker.log.1. The broker appends, so it goes on at 0. */
export function boundOutput(files: BrokerFiles): void {
  const size = statSync(files.output, { throwIfNoEntry: false })?.size ?? 0
  if (size <= MAX_OUTPUT_BYTES) return
  copyFileSync(files.output, files.olderOutput)
  truncateSync(files.output)
}

/** The broker's process, if it runs. Throws ProvisionError when broker.pid is spoilt. */
export async function runningBroker(files: BrokerFiles): Promise<ProcessIdentity | undefined> {
  const recorded = await readPidFile(files.pid)
  return recorded !== undefined && isRunning(recorded) ? recorded : undefined
}

async function readPidFile(file: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new ProvisionError(`cannot read ${file}: ${error.message}`)
  })
  if (text === undefined) return undefined
  try {
    const { pid, startTime } = JSON.parse(text) as Partial<ProcessIdentity>
    if (Number.isSafeInteger(pid) && pid! > 1 && typeof startTime === 'string')
      return { pid: pid!, startTime }
  } catch {
    // Said below.
  }
  throw new ProvisionError(
    `${file} is broken: it should hold the pid and start time of the broker. If no process of ` +
      `${path.dirname(file)} runs (ps -ef | grep server.properties), delete this file and run the command again.`,
  )
}

/** SIGTERM, and SIGKILL when it has not ended after `timeoutMs`. Returns how it ended. */
export async function stopBroker(
  files: BrokerFiles,
  running: ProcessIdentity,
  timeoutMs: number,
): Promise<'stopped' | 'killed'> {
  signal(running, 'SIGTERM')
  let ended: 'stopped' | 'killed' = 'stopped'
  if (!(await hasEnded(running, timeoutMs))) {
    ended = 'killed'
    signal(running, 'SIGKILL')
    if (!(await hasEnded(running, 5000))) {
      throw new ProvisionError(
        `process ${running.pid} does not end, not even by SIGKILL: is its disk hanging?`,
      )
    }
  }
  await rm(files.pid, { force: true })
  return ended
}

function signal(target: ProcessIdentity, name: 'SIGTERM' | 'SIGKILL'): void {
  if (!isRunning(target)) return
  try {
    process.kill(target.pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return
    throw new ProvisionError(`cannot stop process ${target.pid}: ${(error as Error).message}`)
  }
}

async function hasEnded(target: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (isRunning(target)) {
    if (performance.now() > deadline) return false
    await sleep(POLL_MS)
  }
  return true
}

/** What the broker said when it failed: its lines on stderr, else its last logged error, else its last line. */
export async function lastWords(files: BrokerFiles, outputStart: number): Promise<string> {
  const lines = (await readTail(files.output, outputStart)).split('\n').filter((line) => line.trim() !== '')
  const plain = lines.filter((line) => !line.startsWith('{') && !/^\s+at /.test(line))
  if (plain.length > 0) return plain.slice(-8).join('\n')
  const errors = lines.filter((line) => /"level":"(error|fatal)"/.test(line))
  return errors.at(-1) ?? lines.at(-1) ?? 'it said nothing'
}

async function readTail(file: string, start: number): Promise<string> {
  const handle = await open(file, 'r')
  try {
    const { size } = await handle.stat()
    const from = Math.max(start, size - ERROR_TAIL_BYTES)
    const buffer = Buffer.alloc(Math.max(0, size - from))
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, from)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await handle.close()
  }
}
