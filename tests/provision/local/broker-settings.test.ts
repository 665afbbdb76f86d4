import { readFileSync, writeFileSync } from 'node:fs'

import { parseProperties } from '../../../broker/config/properties-file.ts'
import { checkSettings, ensureSettings } from '../../../provision/local/broker-settings.ts'
import { LocalCluster } from '../../../provision/local/local-cluster.ts'
import { tempFolder } from '../../support/temp-folder.ts'

const newPath = tempFolder()

test('a broker gets its id, address and folders, and safe values', async () => {
  const cluster = LocalCluster.planned(newPath('settings with a blank'), 19092)
  const broker = cluster.brokers[1]!
  expect(await ensureSettings(cluster, broker)).toBe(true)
  const settings = parseProperties(readFileSync(cluster.files(broker).properties, 'utf8'))
  expect(Object.fromEntries(settings)).toMatchObject({
    'node.id': '2',
    listeners: 'PLAINTEXT://127.0.0.1:19093',
    'log.dirs': cluster.files(broker).logs,
    'quorum.connect': `embedded:${cluster.metadataFile}`,
    'default.replication.factor': '3',
    'min.insync.replicas': '2',
  })
})

test("the operator's own settings stay", async () => {
  const cluster = LocalCluster.planned(newPath('edited'), 19092)
  const broker = cluster.brokers[0]!
  await ensureSettings(cluster, broker)
  const { properties } = cluster.files(broker)
  writeFileSync(properties, `${readFileSync(properties, 'utf8')}log.retention.hours=1\n`)
  expect(await ensureSettings(cluster, broker)).toBe(false)
  expect(readFileSync(properties, 'utf8')).toContain('log.retention.hours=1')
})

test("a file that is another broker's is refused, with each line that is wrong", async () => {
  const cluster = LocalCluster.planned(newPath('mixed up'), 19092)
  const [first, second] = cluster.brokers
  await ensureSettings(cluster, first!)
  await ensureSettings(cluster, second!)
  writeFileSync(cluster.files(second!).properties, readFileSync(cluster.files(first!).properties))
  await expect(checkSettings(cluster, second!)).rejects.toThrow(
    /broker2\/server.properties does not fit this cluster:\n {2}node.id=1, should be 2/,
  )
})
