/** A key in the tables is a promise that it does something (docs/decisions/0032): somewhere its value is read. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { BROKER_KEYS } from '../../../broker/config/broker-keys.ts'
import { whyWithoutEffect } from '../../../broker/config/other-keys.ts'
import { TOPIC_KEYS, type TopicKeyRow } from '../../../broker/config/topic-keys.ts'

const root = path.resolve(import.meta.dirname, '../../../broker')
const tables = /^config\/(keys\/|broker-keys|topic-keys|other-keys)/

const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !tables.test(file))
  .map((file) => readFileSync(path.join(root, file), 'utf8'))
  .join('\n')

/** By its name, or by one that is put together: `compression.${codec}.level`. */
const isRead = (key: string): boolean =>
  sources.includes(`'${key}'`) || sources.includes(`\`${key.replace(/(?<=\.)\w+(?=\.)/, '${codec}')}\``)
const topicRows: readonly [string, TopicKeyRow][] = Object.entries(TOPIC_KEYS)

test.each(topicRows)('the setting %s of topics is read, or says why not', (key, { withoutEffect }) => {
  expect(isRead(key) || withoutEffect !== undefined).toBe(true)
})

test.each(Object.keys(BROKER_KEYS))('%s is read, or gives topics their default', (key) => {
  const synonyms = topicRows.flatMap(([, { broker }]) => broker.map((synonym): string => synonym.key))
  expect(isRead(key) || synonyms.includes(key)).toBe(true)
})

test('no key is in the tables and also said to change nothing', () => {
  expect(Object.keys(BROKER_KEYS).filter((key) => whyWithoutEffect(key) !== undefined)).toEqual([])
})
