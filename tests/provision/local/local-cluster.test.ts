import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { LocalCluster, readLocalCluster } from '../../../provision/local/local-cluster.ts'
import { tempFolder } from '../../support/temp-folder.ts'

const newPath = tempFolder()

test('a cluster is read back as it was made', async () => {
  const folder = newPath('cluster')
  await LocalCluster.planned(folder, 19092).create()
  const read = await readLocalCluster(folder)
  expect(read?.bootstrap).toEqual(['127.0.0.1:19092', '127.0.0.1:19093', '127.0.0.1:19094'])
})

test('where there is no folder, or an empty one, there is no cluster', async () => {
  const folder = newPath('empty')
  expect(await readLocalCluster(folder)).toBeUndefined()
  mkdirSync(folder)
  expect(await readLocalCluster(folder)).toBeUndefined()
})

test("somebody else's folder is refused", async () => {
  const folder = newPath('photos')
  mkdirSync(folder)
  writeFileSync(path.join(folder, 'holiday.jpg'), '')
  await expect(readLocalCluster(folder)).rejects.toThrow(/holds holiday.jpg but no cluster.json.*--folder/s)
  expect(readdirSync(folder)).toEqual(['holiday.jpg'])
})

test.each([
  ['{"format": "brokerkit loc', 'is broken'],
  ['{"format": "other"}', '"format" is not'],
  ['{"format": "brokerkit local cluster, version 1"}', '"brokers" is missing'],
  ['{"format": "brokerkit local cluster, version 1", "brokers": [{"id": 1}]}', 'without id and port'],
])('a spoilt marker is told by its path: %s', async (content, reason) => {
  const folder = newPath('spoilt')
  mkdirSync(folder)
  writeFileSync(path.join(folder, 'cluster.json'), content)
  await expect(readLocalCluster(folder)).rejects.toThrow(reason)
  await expect(readLocalCluster(folder)).rejects.toThrow(path.join(folder, 'cluster.json'))
})
