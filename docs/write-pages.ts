/** `npm run docs`: writes the pages that are made from the code, and formats them. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { configurationPage } from './configuration-page.ts'
import { metricsPage } from './metrics-page.ts'

const PAGES = { 'configuration.md': configurationPage, 'metrics.md': metricsPage }

for (const [name, textOf] of Object.entries(PAGES)) {
  const page = fileURLToPath(new URL(name, import.meta.url))
  await writeFile(page, textOf())
  await promisify(execFile)('oxfmt', [page])
}
