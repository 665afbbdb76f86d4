/** etcd 3.6, built from its Go module where Go is installed; otherwise Debian's or Ubuntu's package, which is older. */
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { TOOLS_FOLDER, type Availability, type Prerequisite } from './prerequisite.ts'

const VERSION = 'v3.6.16'
const MODULE = 'go.etcd.io/etcd/server/v3'
const BUILT = path.join(TOOLS_FOLDER, `etcd-${VERSION}`, 'etcd')
const BUILD_TIMEOUT_MS = 900_000
const MAIN = `package main

import (
	"os"

	"${MODULE}/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
`

export interface EtcdProgram {
  readonly path: string
  /** As it names itself: "3.6.16". */
  readonly version: string
}

export const etcd: Prerequisite<EtcdProgram> = {
  name: 'etcd',

  async find() {
    return (
      (await programAt(BUILT)) ??
      (await programAt('/usr/bin/etcd')) ??
      missing('no etcd was built or installed')
    )
  },

  async ensure(report) {
    const there = await this.find()
    if (there.available && there.value.path === BUILT) return there
    let reason = 'Go is not installed'
    if (await runs('go', ['version'])) {
      report(`building etcd ${VERSION} from its Go module (some minutes)`)
      try {
        await build()
        return await this.find()
      } catch (error) {
        reason = `the Go build failed: ${lastLine(error)}`
      }
    }
    if (there.available) return there
    if (process.getuid?.() !== 0) return missing(`${reason}; apt needs root to install etcd-server`)
    report(`installing etcd-server with apt (${reason})`)
    const installed = await execa('apt-get', ['install', '-y', '--no-install-recommends', 'etcd-server'], {
      reject: false,
      env: { DEBIAN_FRONTEND: 'noninteractive' },
      timeout: BUILD_TIMEOUT_MS,
    })
    return installed.exitCode === 0 ? this.find() : missing(`${reason}; apt: ${lastLine(installed)}`)
  },
}

/** Builds beside the final place and renames, so that a build that was broken off is never taken for a program. */
async function build(): Promise<void> {
  const folder = path.join(TOOLS_FOLDER, `etcd-${VERSION}.${process.pid}`)
  await mkdir(folder, { recursive: true })
  try {
    await writeFile(path.join(folder, 'main.go'), MAIN)
    const options = { cwd: folder, timeout: BUILD_TIMEOUT_MS }
    await execa('go', ['mod', 'init', 'quorum'], options)
    await execa('go', ['get', `${MODULE}@${VERSION}`], options)
    await execa('go', ['mod', 'tidy'], options)
    await execa('go', ['build', '-trimpath', '-ldflags', '-s -w', '-o', 'etcd', '.'], options)
    await mkdir(path.dirname(BUILT), { recursive: true })
    await rename(path.join(folder, 'etcd'), BUILT)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function programAt(file: string): Promise<Availability<EtcdProgram> | undefined> {
  if (!existsSync(file)) return undefined
  const { stdout } = await execa(file, ['--version'], { reject: false })
  const version = /etcd Version: (\S+)/.exec(stdout)?.[1]
  return version === undefined ? undefined : { available: true, value: { path: file, version } }
}

async function runs(command: string, args: string[]): Promise<boolean> {
  return (await execa(command, args, { reject: false })).exitCode === 0
}

function missing(reason: string): Availability<EtcdProgram> {
  return { available: false, missing: reason }
}

function lastLine(failure: unknown): string {
  const { stderr, message } = failure as { stderr?: string; message?: string }
  return (stderr || message || String(failure)).trim().split('\n').at(-1) ?? ''
}
