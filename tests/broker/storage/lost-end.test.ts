/** A segment that lost its end before the next one begins: what follows is not served, and not deleted either. */
import { cpSync, existsSync, readdirSync, readFileSync, truncateSync } from 'node:fs'
import path from 'node:path'
import { splitBatches } from '../../../broker/protocol/record-batch.ts'
import { clientBatch, openLogs, smallSegments, TOPIC_ID, valuesOf } from '../../support/log-scene.ts'
import { tempFolder } from '../../support/temp-folder.ts'

const newPath = tempFolder()

test('the segments after it are set aside under names that say so', async () => {
  const original = newPath('logs')
  const logs = await openLogs(original)
  const log = await logs.create('events', 0, TOPIC_ID, smallSegments)
  for (let value = 0; value < 30; value += 1) await log.appendAsLeader(clientBatch([`value ${value}`]), 0)
  // As the machine leaves it that loses power: no clean stop, nothing known to be flushed.
  const crashed = newPath('crashed')
  cpSync(original, crashed, { recursive: true })
  await logs.close()

  const partition = path.join(crashed, 'events-0')
  const segments = readdirSync(partition).filter((name) => name.endsWith('.log'))
  expect(segments.length).toBeGreaterThan(2)
  const [first, ...later] = segments.toSorted().map((name) => path.join(partition, name))
  const kept = later.map((file) => readFileSync(file))
  const lastBatch = splitBatches(readFileSync(first!)).at(-1)!
  truncateSync(first!, lastBatch.position)

  const again = await openLogs(crashed)
  const found = again.get('events', 0)!
  expect(found.logEndOffset).toBe(lastBatch.baseOffset)
  expect(valuesOf(found).at(-1)?.value).toBe(`value ${lastBatch.baseOffset - 1}`)
  for (const [index, file] of later.entries()) {
    expect(existsSync(file)).toBe(false)
    expect(readFileSync(`${file}.lost`).equals(kept[index]!)).toBe(true)
  }
  await again.close()
})
