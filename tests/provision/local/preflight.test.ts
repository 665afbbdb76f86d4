import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import path from 'node:path'

import { LocalCluster } from '../../../provision/local/local-cluster.ts'
import { checkDisk, checkOpenFiles, preflight } from '../../../provision/local/preflight.ts'
import { tempFolder } from '../../support/temp-folder.ts'

const newPath = tempFolder()

test('a taken port is told with the process that has it', async () => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const cluster = new LocalCluster(newPath('taken'), [{ id: 1, port }])
  try {
    await expect(preflight(cluster, cluster.brokers)).rejects.toThrow(
      new RegExp(
        `port ${port} is taken by process ${process.pid} \\(.*\\): stop it, or choose other ports with --port`,
      ),
    )
    await expect(preflight(cluster, [])).resolves.toBeDefined()
  } finally {
    server.close()
  }
})

test('logs without their metadata are refused', async () => {
  const cluster = new LocalCluster(newPath('lost'), [{ id: 1, port: 1 }])
  const { logs } = cluster.files(cluster.brokers[0]!)
  mkdirSync(logs, { recursive: true })
  writeFileSync(path.join(logs, 'meta.properties'), 'cluster.id=abc\n')
  await expect(preflight(cluster, [])).rejects.toThrow(
    `${cluster.metadataFile} is missing, but broker 1 has data in ${logs}`,
  )
  writeFileSync(cluster.metadataFile, '')
  await expect(preflight(cluster, [])).resolves.toBeDefined()
})

test('too little disk is told with what is there and what is needed', () => {
  expect(checkDisk('/data', 2 * 1024 ** 3)).toBeUndefined()
  expect(checkDisk('/data', 300 * 1024 ** 2)).toMatch(
    'the disk of /data has 0.29 GiB free and the brokers need at least 1',
  )
})

test('too few open files are told with the way to more', () => {
  expect(checkOpenFiles(Infinity)).toBeUndefined()
  expect(checkOpenFiles(1024)).toMatch('only 1024 files')
})
