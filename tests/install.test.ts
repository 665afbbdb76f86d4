/**
 * The first command of the README on a machine without a compiler: what is installed is small, brings its own Node,
 * and is all that a cluster on this machine needs. A copy of the tree, so that development packages cannot help.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'

import { jest } from '@jest/globals'
import { execa } from 'execa'

import { freePorts } from './support/free-ports.ts'
import { tempFolder } from './support/temp-folder.ts'

jest.setTimeout(240_000)

const ROOT = path.resolve(import.meta.dirname, '..')
const PRODUCT = ['package.json', 'package-lock.json', '.npmrc', 'broker', 'provision', 'tools', 'systemd']
const MAX_INSTALLED_MB = 300
const newPath = tempFolder()

/** A folder with these programs and no others, as the whole PATH. */
function pathWith(names: readonly string[]): string {
  const folder = newPath('bin')
  mkdirSync(folder)
  for (const name of names) {
    const places = process.env['PATH']!.split(':').map((place) => path.join(place, name))
    symlinkSync(
      places.find((place) => existsSync(place))!,
      path.join(folder, name),
    )
  }
  return folder
}

test('installs without a compiler in under 300 MB, and a cluster starts with that alone', async () => {
  const tree = newPath('tree')
  for (const name of PRODUCT) cpSync(path.join(ROOT, name), path.join(tree, name), { recursive: true })
  const run = (
    ...args: string[]
  ): Promise<{ exitCode?: number | undefined; stdout: string; stderr: string }> =>
    execa('npm', args, {
      cwd: tree,
      env: { PATH: pathWith(['node', 'npm', 'sh', 'env']), HOME: process.env['HOME'] },
      extendEnv: false,
      reject: false,
      stdin: 'ignore',
      timeout: 200_000,
    })

  const installed = await run('ci', '--omit=dev', '--no-audit', '--prefer-offline')
  expect(installed.stderr).not.toContain('npm error')
  expect(installed.exitCode).toBe(0)
  const { stdout } = await execa('du', ['--summarize', '--block-size=1M', path.join(tree, 'node_modules')])
  expect(Number.parseInt(stdout, 10)).toBeLessThan(MAX_INSTALLED_MB)
  const pinned = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>
  }
  const shown = await execa(path.join(tree, 'node_modules/.bin/node'), ['--version'])
  expect(shown.stdout).toBe(`v${pinned.optionalDependencies[`node-${process.platform}-${process.arch}`]}`)

  const provision = ['run', '--silent', 'provision', '--', '--local']
  try {
    const made = await run(...provision, '--port', String(await freePorts(3)), '--json')
    expect(made.stderr).toBe('')
    expect(JSON.parse(made.stdout)).toMatchObject({ ok: true, brokers: [{ id: 1 }, { id: 2 }, { id: 3 }] })
  } finally {
    await run(...provision, 'destroy', '--yes')
  }
})
