/** The pages that say what the code does, held against the code. */
import { readFileSync } from 'node:fs'
import { ROUTES } from '../broker/handlers/registry.ts'
import { configurationPage } from '../docs/configuration-page.ts'
import { metricsPage } from '../docs/metrics-page.ts'

const page = readFileSync(new URL('../docs/compatibility.md', import.meta.url), 'utf8')

test('docs/compatibility.md lists exactly the APIs that are served, in the versions that are', () => {
  const documented = [...page.matchAll(/^\| (\d+) +\| (\w+) +\| ([\d-]+) +\|/gm)].map((row) =>
    row.slice(1).join(' '),
  )
  const served = [...ROUTES.values()]
    .map(({ api }) => `${api.key} ${api.name} ${api.versions.min}-${api.versions.max}`)
    .toSorted((a, b) => parseInt(a, 10) - parseInt(b, 10))
  expect(documented).toEqual(served)
})

/** Without what formatting a table changes: the blanks and dashes that fill its columns. */
const unformatted = (text: string): string => text.replaceAll(/[ ]+/g, ' ').replaceAll(/-{3,}/g, '---')

test.each([
  ['configuration.md', 'the tables of keys', configurationPage],
  ['metrics.md', 'the table of metrics', metricsPage],
])('docs/%s is what %s say: `npm run docs` writes it', (name, _tables, page) => {
  const written = readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8')
  expect(unformatted(written).trim()).toBe(unformatted(page()).trim())
})
