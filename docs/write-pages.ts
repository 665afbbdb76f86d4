/** `npm run docs`: writes the pages that are made from the code, and formats them. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { configurationPage } from './configuration-page.ts'

const page = fileURLToPath(new URL('configuration.md', import.meta.url))
await writeFile(page, configurationPage())
await promisify(execFile)('oxfmt', [page])
