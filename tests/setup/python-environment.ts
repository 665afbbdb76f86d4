/** A virtual environment of Python with packages from pip, in a folder of its own. */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { aptInstall } from './apt.ts'

const INSTALL_TIMEOUT_MS = 300_000

/** Makes the environment with these packages (as pip takes them); returns what went wrong, and leaves nothing then. */
export async function makePythonEnvironment(
  folder: string,
  packages: readonly string[],
  report: (line: string) => void,
): Promise<string | undefined> {
  let failure = await run('python3', ['-m', 'venv', folder])
  if (failure !== undefined) {
    // Debian and Ubuntu keep what a virtual environment needs in a package of its own.
    if ((await aptInstall(['python3-venv'], report)) !== undefined) return failure
    failure = await run('python3', ['-m', 'venv', folder])
  }
  failure ??= await run(path.join(folder, 'bin/pip'), ['install', '--quiet', ...packages])
  if (failure !== undefined) await rm(folder, { recursive: true, force: true })
  return failure
}

/** Returns how the command failed. */
async function run(program: string, args: readonly string[]): Promise<string | undefined> {
  const result = await execa(program, [...args], { reject: false, timeout: INSTALL_TIMEOUT_MS })
  if (!result.failed) return undefined
  return [result.shortMessage, ...result.stderr.trim().split('\n').slice(-2)].join(' ')
}
