/** `npm run differential [-- --only TEXT]`: our broker against Apache Kafka's, every case or those whose names contain TEXT. */
import process from 'node:process'
import { parseArgs } from 'node:util'

import { kafkaTools } from '../setup/kafka-tools.ts'
import { ALLOWED } from './allowed.ts'
import { AREAS } from './areas.ts'
import { judge, showDifference } from './compare.ts'
import { casesOf, Differential } from './differential.ts'

const { only } = parseArgs({ options: { only: { type: 'string' } } }).values
const tools = await kafkaTools.ensure((line) => console.log(line))
if (!tools.available) throw new Error(`${kafkaTools.name} is missing: ${tools.missing}`)

const differential = await Differential.start(tools.value)
try {
  const found = []
  for (const area of AREAS) found.push(...(await differential.compare(area, only)))
  const { unexplained, stale } = judge(found, ALLOWED)
  for (const difference of unexplained) console.log(`  ${showDifference(difference)}`)
  // A part of the cases needs a part of the list only.
  const staleEntries = only === undefined ? stale : []
  for (const entry of staleEntries)
    console.log(`  allowed, but does not differ: ${entry.case} ${entry.path} (${entry.reason})`)
  const count = AREAS.flatMap((area) => casesOf(area, only)).length
  console.log(
    `${count} cases: ${found.length} differences, ${unexplained.length} of them not allowed; ${ALLOWED.length} entries in the list, ${staleEntries.length} of them stale`,
  )
  process.exitCode = unexplained.length + staleEntries.length === 0 ? 0 : 1
} finally {
  await differential.stop()
}
