/** A folder of the test file's own under the temporary one, removed after its tests. */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** Called at the top level of a test file; the result names a new path in the folder, which does not exist yet. */
export function tempFolder(): (name: string) => string {
  const root = mkdtempSync(path.join(os.tmpdir(), 'brokerkit-test-'))
  let count = 0
  afterAll(() => rmSync(root, { recursive: true, force: true }))
  return (name) => path.join(root, `${(count += 1)}-${name}`)
}
