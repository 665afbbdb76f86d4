/** A broker that is killed while it writes, and what it makes of damaged ends of its files. */
import { appendFileSync, mkdirSync, readFileSync, statSync, truncateSync } from 'node:fs'
import path from 'node:path'
import { splitBatches } from '../../../broker/protocol/record-batch.ts'
import { Ledger } from '../../support/ledger.ts'
import { type BrokerProcess, startBroker } from '../../support/start-broker.ts'
import { tempFolder } from '../../support/temp-folder.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { WireClient } from '../../support/wire-client.ts'

const TOPIC = 't'
const TIMEOUT_MS = 60_000
const KILLS = 3
const RECORDS_BETWEEN_KILLS = 1_000
const SEGMENT = '00000000000000000000'
const newPath = tempFolder()

let folder: string
let broker: BrokerProcess
let client: WireClient

/** Starts the broker, or starts it again: on the same port, so that clients find it. */
async function start(port?: number): Promise<void> {
  const overrides = { 'quorum.session.timeout.ms': '1000' }
  broker = await startBroker({ folder, overrides, ...(port === undefined ? {} : { port }) })
}

beforeEach(async () => {
  folder = newPath('broker')
  mkdirSync(folder)
  await start()
  client = new WireClient([broker.address])
}, TIMEOUT_MS)

afterEach(async () => {
  await client.close()
  await broker.end('SIGKILL')
}, TIMEOUT_MS)

function segmentFile(suffix: string): string {
  return path.join(broker.logDir, `${TOPIC}-0`, `${SEGMENT}${suffix}`)
}

test(
  'after each kill -9 under load everything that was acknowledged is there, once and in order',
  async () => {
    // A few sends fill the indexes of a segment, so that there are many and the kill may hit a roll as well.
    const configs = { 'segment.index.bytes': '60', 'index.interval.bytes': '100' }
    await client.createTopic(TOPIC, { replicationFactor: 1, configs })
    const ledger = await Ledger.open([broker.address], TOPIC)
    ledger.startWriting()
    for (let kill = 1; kill <= KILLS; kill++) {
      const target = ledger.acknowledged.length + RECORDS_BETWEEN_KILLS
      await waitUntil(() => ledger.acknowledged.length >= target, `${target} acknowledged`, 20_000)
      await broker.end('SIGKILL')
      await start(broker.port)
    }
    await ledger.close()
    expect(ledger.failedSends).toBe(0)
    expect(ledger.acknowledged.length).toBeGreaterThanOrEqual(KILLS * RECORDS_BETWEEN_KILLS)
    expect(await client.readAll(TOPIC, 0)).toEqual(ledger.acknowledged)
  },
  TIMEOUT_MS * 2,
)

describe('a segment whose end is damaged', () => {
  const values = Array.from({ length: 20 }, (_, index) => `record ${index}`)

  beforeEach(async () => {
    await client.createTopic(TOPIC, { replicationFactor: 1 })
    for (const value of values) await client.write(TOPIC, 0, [value])
    await broker.end('SIGKILL')
  }, TIMEOUT_MS)

  const lastBatchBytes = (): number => splitBatches(readFileSync(segmentFile('.log'))).at(-1)!.sizeBytes

  test.each([
    ['garbage after it', 20, () => appendFileSync(segmentFile('.log'), Buffer.alloc(1000, 0xa5))],
    ['zeros after it', 20, () => appendFileSync(segmentFile('.log'), Buffer.alloc(4096))],
    [
      'the first bytes of a batch after it',
      20,
      () => appendFileSync(segmentFile('.log'), readFileSync(segmentFile('.log')).subarray(0, 50)),
    ],
    [
      'a batch once more after it',
      20,
      () =>
        appendFileSync(segmentFile('.log'), readFileSync(segmentFile('.log')).subarray(-lastBatchBytes())),
    ],
    [
      'its last batch torn',
      19,
      () => truncateSync(segmentFile('.log'), statSync(segmentFile('.log')).size - 5),
    ],
    ['indexes of rubbish', 20, () => appendFileSync(segmentFile('.index'), Buffer.alloc(13, 0xff))],
  ] as const)(
    '%s: recovered and appended to',
    async (_what, kept, damage) => {
      damage()
      await start(broker.port)
      expect(await client.readAll(TOPIC, 0)).toEqual(values.slice(0, kept))
      await client.write(TOPIC, 0, ['after'])
      expect(await client.readAll(TOPIC, 0)).toEqual([...values.slice(0, kept), 'after'])
    },
    TIMEOUT_MS,
  )
})
