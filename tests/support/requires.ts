/** Tests that need a prerequisite: run where it is, skipped with a line that says what is missing, failed in CI. */
import type { Prerequisite } from '../setup/prerequisite.ts'

/**
 * `describe` for the tests that need `prerequisite`. `define` gets its value. Without it the suite is skipped with
 * a line that names what is missing; in CI (CI=true) that is a failing test instead.
 */
export async function describeWith<T>(
  prerequisite: Pick<Prerequisite<T>, 'name' | 'find'>,
  title: string,
  define: (value: T) => void,
): Promise<void> {
  const found = await prerequisite.find()
  if (found.available) {
    describe(title, () => define(found.value))
  } else if (process.env['CI'] === 'true') {
    test(`${title}: ${prerequisite.name} is there`, () => {
      throw new Error(`${prerequisite.name} is missing: ${found.missing}`)
    })
  } else {
    test.skip(`${title} (skipped: ${prerequisite.name} is missing: ${found.missing})`, () => {})
  }
}
