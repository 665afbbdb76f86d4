/**
 * `npm test [-- paths] [jest's options]`: sets up what the chosen tests need beyond npm's packages, as far as this machine
 * allows, runs them, lists what was skipped and why, and ends with the counts alone on the last line.
 *
 * Suites that run brokers, hosts or Terraform would take the processor from one another and from the clocks that they
 * watch, so they run after the others, one at a time.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'

import { execa } from 'execa'

import { noResults, readResults, sumResults } from './support/jest-results.ts'
import type { TestResults } from './support/jest-results.ts'
import { isHeavy, prerequisitesOf } from './support/test-needs.ts'
import { prepareApt } from './setup/apt.ts'

const ROOT = path.resolve(import.meta.dirname, '..')
const JEST = [
  '--disable-warning=ExperimentalWarning',
  '--experimental-vm-modules',
  path.join(ROOT, 'node_modules/jest/bin/jest.js'),
]
const JEST_TIMEOUT_MS = 18 * 60_000

const args = process.argv.slice(2)
const firstOption = args.findIndex((argument) => argument.startsWith('-'))
const options = firstOption < 0 ? [] : args.slice(firstOption)

async function main(): Promise<number> {
  const files = await listTests(args)
  if (files.length === 0) {
    console.log(`no test matches ${args.join(' ')}`)
    return 1
  }
  await ensurePrerequisites(files)
  const heavy = files.filter(isHeavy)
  const light = files.filter((file) => !heavy.includes(file))
  const results = [
    await runJest('light', light, '--maxWorkers=2'),
    await runJest('heavy', heavy, '--runInBand'),
  ]
  return reportResults(sumResults(...results))
}

async function listTests(patterns: readonly string[]): Promise<string[]> {
  const listed = await execa(process.execPath, [...JEST, '--listTests', ...patterns], {
    cwd: ROOT,
    reject: false,
  })
  if (listed.failed && listed.stdout === '') console.error(listed.stderr)
  return listed.stdout.split('\n').filter((line) => line.endsWith('.test.ts'))
}

async function ensurePrerequisites(files: readonly string[]): Promise<void> {
  const needed = await prerequisitesOf(files)
  if (needed.length === 0) return
  await prepareApt((line) => console.log(`  ${line}`))
  await Promise.all(
    needed.map(async (prerequisite) => {
      const startedAt = performance.now()
      const found = await prerequisite.ensure((line) => console.log(`  ${prerequisite.name}: ${line}`))
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
      console.log(
        found.available
          ? `  ${prerequisite.name}: there (${seconds} s)`
          : `  ${prerequisite.name}: MISSING: ${found.missing}`,
      )
    }),
  )
}

/** Runs jest over the files (nothing to do for none), with a bound on its time. */
async function runJest(name: string, files: readonly string[], concurrency: string): Promise<TestResults> {
  if (files.length === 0) return noResults
  const folder = mkdtempSync(path.join(os.tmpdir(), 'brokerkit-tests-'))
  const outputFile = path.join(folder, `${name}.json`)
  try {
    const child = spawn(
      process.execPath,
      [
        ...JEST,
        ...options,
        // A test that failed may leave a connection open, which must not keep the run from ending.
        '--forceExit',
        '--json',
        `--outputFile=${outputFile}`,
        concurrency,
        '--runTestsByPath',
        ...files,
      ],
      { cwd: ROOT, stdio: ['inherit', 'ignore', 'inherit'] },
    )
    const timer = setTimeout(() => {
      console.error(`jest (${name} tests) has not ended after ${JEST_TIMEOUT_MS / 60_000} minutes: killed`)
      child.kill('SIGKILL')
    }, JEST_TIMEOUT_MS)
    const exitCode = await new Promise<number | null>((resolve) => child.once('exit', resolve))
    clearTimeout(timer)
    return readResults(readFileSync(outputFile, { encoding: 'utf8', flag: 'a+' }), exitCode)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function reportResults(results: TestResults): number {
  // With a name pattern jest counts every other test as skipped; those are not worth a list.
  const byName = options.some((argument) => /^(-t|--testNamePattern)/.test(argument))
  if (results.skipped.length > 0 && !byName)
    console.log(`\nSkipped:\n${results.skipped.map((title) => `  ${title}`).join('\n')}`)
  if (results.failures.length > 0)
    console.log(`\nFailed:\n${results.failures.map((title) => `  ${title}`).join('\n')}`)
  console.log(
    `\n${results.passed} passed, ${results.failures.length} failed, ${results.skipped.length} skipped`,
  )
  return results.failures.length === 0 ? 0 : 1
}

process.exitCode = await main()
