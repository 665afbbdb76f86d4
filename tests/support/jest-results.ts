/** What `npm test` tells of jest's JSON results: how many passed, and the titles of those that did not. */

export interface TestResults {
  readonly passed: number
  readonly failures: readonly string[]
  /** Titles say the reason: `describeWith` puts it there. */
  readonly skipped: readonly string[]
}

export const noResults: TestResults = { passed: 0, failures: [], skipped: [] }

/** The fields of jest's `--json` output that are read here. */
interface JestJson {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
  }[]
}

/** `exitCode`: jest's own, so that whatever made it fail counts as a failure, even when its results do not say so. */
export function readResults(json: string, exitCode: number | null): TestResults {
  if (json === '') return { ...noResults, failures: ['jest did not finish'] }
  const files = (JSON.parse(json) as JestJson).testResults
  const tests = files.flatMap((file) =>
    file.assertionResults.map(({ status, fullName }) => ({
      status,
      title: `${shortName(file.name)}: ${fullName}`,
    })),
  )
  const titles = (statuses: readonly string[]): string[] =>
    tests.filter(({ status }) => statuses.includes(status)).map(({ title }) => title)
  const failures = [
    ...titles(['failed']),
    ...files
      .filter(
        ({ status, assertionResults }) =>
          status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
      )
      .map(({ name }) => `${shortName(name)}: the file could not run`),
  ]
  if (failures.length === 0 && exitCode !== 0)
    failures.push(`jest ended with exit code ${exitCode ?? 'none'}`)
  return { passed: titles(['passed']).length, failures, skipped: titles(['pending', 'todo', 'disabled']) }
}

export function sumResults(...results: readonly TestResults[]): TestResults {
  return {
    passed: results.reduce((sum, { passed }) => sum + passed, 0),
    failures: results.flatMap(({ failures }) => failures),
    skipped: results.flatMap(({ skipped }) => skipped),
  }
}

function shortName(file: string): string {
  return file.slice(file.lastIndexOf('/tests/') + 1)
}
