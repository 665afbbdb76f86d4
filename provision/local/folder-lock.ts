/**
 * One command at a time changes a cluster's folder. The lock is a listening Unix socket named after the folder, so
 * the kernel gives it to one process only and takes it back when that process ends, however it ends. Linux has such
 * names without a file (unix(7), "abstract"); elsewhere it is a file in the temporary folder.
 */
import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import type { Server } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'

import { ProvisionError } from '../provision-error.ts'

/** Runs `work` while nobody else holds the lock of `folder`; throws ProvisionError at once when someone does. */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const name = lockName(path.resolve(folder))
  const server = (await tryLock(name)) ?? (await clearStaleFile(name))
  if (server === undefined) {
    const holder = await askHolder(name)
    throw new ProvisionError(
      `another command (process ${holder ?? 'unknown'}) is working on ${path.resolve(folder)}: wait until it has ended`,
    )
  }
  try {
    return await work()
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}

function lockName(folder: string): string {
  const digest = createHash('sha256').update(folder).digest('hex').slice(0, 32)
  return process.platform === 'linux'
    ? `\0brokerkit-${digest}`
    : path.join(os.tmpdir(), `brokerkit-${digest}.sock`)
}

function tryLock(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((asker) => {
      asker.on('error', () => {})
      asker.end(String(process.pid))
    })
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    )
    server.listen(name, () => {
      server.unref()
      resolve(server)
    })
  })
}

/** A socket's file outlives its process: where nobody answers, it is removed and the lock is tried once more. */
async function clearStaleFile(name: string): Promise<Server | undefined> {
  if (name.startsWith('\0') || (await askHolder(name)) !== undefined) return undefined
  rmSync(name, { force: true })
  return tryLock(name)
}

function askHolder(name: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection(name)
    let pid = ''
    socket.setTimeout(1000, () => socket.destroy())
    socket.on('data', (data) => (pid += data.toString()))
    socket.on('error', () => {})
    socket.on('close', () => resolve(pid === '' ? undefined : pid))
  })
}
