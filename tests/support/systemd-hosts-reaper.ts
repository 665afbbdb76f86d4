/**
 * Removes test hosts. Also a program: started beside the hosts with a pipe as its stdin, it waits until the pipe ends,
 * which it does however the tests end, killed ones included, and then removes what they have left.
 */
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { execaSync } from 'execa'

/** Kills the hosts whose roots are below `folder`, and removes the folder and their bridge. */
export function removeHosts(folder: string, bridge: string): void {
  for (const nspawn of nspawnsOf(folder)) {
    // The host's PID 1 is nspawn's child, and outlives it.
    for (const child of childrenOf(nspawn)) kill(child)
    kill(nspawn)
  }
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const root = path.join(folder, name, 'root')
    if (existsSync(root)) execaSync('umount', ['--lazy', root], { reject: false })
  }
  execaSync('ip', ['link', 'delete', bridge], { reject: false })
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
}

export function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    return text === '' ? [] : text.split(' ').map(Number)
  } catch {
    return []
  }
}

/** Sends SIGKILL; a process that has ended already is fine. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

function nspawnsOf(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`--directory=${folder}/`)
      } catch {
        return false
      }
    })
    .map(Number)
}

const [program, folder, bridge] = process.argv.slice(1)
if (program?.endsWith('systemd-hosts-reaper.ts') && folder !== undefined && bridge !== undefined) {
  process.stdin.resume()
  process.stdin.on('end', () => removeHosts(folder, bridge))
}
