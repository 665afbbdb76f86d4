/** A started broker and its log directories: whose they are, who else uses them, and what it does without them. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { CreateTopics } from '../../../broker/protocol/apis/create-topics.ts'
import { BrokerProcess, startBroker } from '../../support/start-broker.ts'
import { tempFolder } from '../../support/temp-folder.ts'
import { TestClient } from '../../support/test-client.ts'

const newPath = tempFolder()
const TIMEOUT_MS = 60_000

function newFolder(): string {
  const folder = newPath('broker')
  mkdirSync(folder)
  return folder
}

async function createTopic(broker: BrokerProcess, name: string, numPartitions: number): Promise<void> {
  const client = await TestClient.connect(broker.address)
  const topic = { name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }
  const { topics } = await client.request(CreateTopics, 7, { topics: [topic] })
  expect(topics[0]?.errorCode).toBe(0)
  client.close()
}

/** The one line that the broker leaves on stderr. */
async function refusalOf(folder: string, more: Partial<{ quorum: string }> = {}): Promise<string> {
  const broker = new BrokerProcess({ folder, ...more })
  await expect(broker.started()).rejects.toThrow('exited with 1')
  expect(broker.stderr.trimEnd().split('\n')).toHaveLength(1)
  return broker.stderr
}

describe('meta.properties', () => {
  let folder: string
  let file: string
  let text: string

  beforeEach(async () => {
    folder = newFolder()
    const broker = await startBroker({ folder })
    await createTopic(broker, 'kept', 2)
    await broker.stop()
    file = path.join(broker.logDir, 'meta.properties')
    text = readFileSync(file, 'utf8')
  }, TIMEOUT_MS)

  test(
    'with a wrong cluster.id: the file, both ids, what proves it wrong, and the way out',
    async () => {
      writeFileSync(file, text.replace(/cluster\.id=.*/, 'cluster.id=ABCDEFGHIJKLMNOPQRSTUQ'))
      const stderr = await refusalOf(folder)
      expect(stderr).toContain(`${file} has cluster.id=ABCDEFGHIJKLMNOPQRSTUQ`)
      expect(stderr).toContain(`the quorum that this broker reached has ${/cluster\.id=\S+/.exec(text)![0]}`)
      expect(stderr).toContain(
        'Likely wrong: this file, because 2 of 2 partitions here belong to topics that this quorum knows',
      )
      expect(stderr).toContain('npm run provision -- recover-meta --node 1')
      writeFileSync(file, text)
      const repaired = await startBroker({ folder })
      expect((await repaired.end('SIGTERM')).code).toBe(0)
    },
    TIMEOUT_MS,
  )

  test(
    'at a quorum of another cluster: the quorum is suspected, not the file',
    async () => {
      const stderr = await refusalOf(folder, { quorum: `embedded:${newPath('other.db')}` })
      expect(stderr).toContain(`${file} has ${/cluster\.id=\S+/.exec(text)![0]}`)
      expect(stderr).toContain('Likely wrong: quorum.connect')
      expect(stderr).toContain('None of the 2 partitions here belongs to a topic that this quorum knows')
      expect(stderr).toContain('npm run provision -- recover-meta --node 1')
      expect(readFileSync(file, 'utf8')).toBe(text)
    },
    TIMEOUT_MS,
  )

  test(
    'with a wrong node.id: the file, both ids, what to look at, and the way out',
    async () => {
      writeFileSync(file, text.replace(/node\.id=.*/, 'node.id=7'))
      const stderr = await refusalOf(folder)
      expect(stderr).toContain(`${file} belongs to node 7, but this broker is configured as node.id=1`)
      expect(stderr).toContain('Likely wrong: node.id in server.properties, or log.dirs')
      expect(stderr).toContain('npm run provision -- recover-meta --node 1')
    },
    TIMEOUT_MS,
  )
})

test(
  'a broker without a log directory left says so, and ends with 1',
  async () => {
    const overrides = { 'replica.high.watermark.checkpoint.interval.ms': '100' }
    const broker = await startBroker({ folder: newFolder(), overrides })
    await createTopic(broker, 't', 1)
    rmSync(broker.logDir, { recursive: true })
    expect(await broker.exited).toEqual({ code: 1, signal: null })
    expect(broker.stderr).toBe(
      `broker failed: no log directory is left: the last one, ${broker.logDir}, went offline\n`,
    )
    expect(existsSync(broker.logDir)).toBe(false)
  },
  TIMEOUT_MS,
)

describe('two processes on one log directory', () => {
  test(
    'the second is refused with the pid of the first, and starts once that is dead',
    async () => {
      const folder = newFolder()
      const first = await startBroker({ folder })
      const overrides = { 'node.id': '2', 'log.dirs': first.logDir }
      const options = { folder: newFolder(), id: 2, overrides }
      const second = new BrokerProcess(options)
      await expect(second.started()).rejects.toThrow('exited with 1')
      expect(second.stderr).toContain(`${first.logDir} is in use by the process with pid ${first.pid} (`)
      await first.end('SIGKILL')
      const third = await startBroker({ folder })
      expect((await third.end('SIGTERM')).code).toBe(0)
      expect(readFileSync(path.join(third.logDir, '.lock'))).toHaveLength(0)
    },
    TIMEOUT_MS,
  )
})
