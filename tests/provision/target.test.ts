import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { resolveTarget } from '../../provision/target.ts'
import { tempFolder } from '../support/temp-folder.ts'

const newPath = tempFolder()
const example = readFileSync(path.resolve(import.meta.dirname, '../../examples/vms.yaml'), 'utf8')

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = newPath('target')
  mkdirSync(folder)
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content)
  return folder
}

const inventory = JSON.stringify({
  cluster: 'demo',
  nodes: [
    {
      id: 1,
      name: 'demo-1',
      sshHost: '10.0.1.11',
      sshPort: 22,
      sshUser: 'ubuntu',
      address: '10.0.1.11',
      hostKeys: [],
    },
  ],
})

test('nothing said and no cluster.yaml here: this machine', async () => {
  expect(await resolveTarget({}, folderWith({}))).toBeUndefined()
})

test('cluster.yaml here: its hosts, unless this machine is asked for', async () => {
  const folder = folderWith({ 'cluster.yaml': example })
  expect((await resolveTarget({}, folder))?.inventory.nodes).toHaveLength(3)
  expect(await resolveTarget({ local: true }, folder)).toBeUndefined()
})

test('an inventory takes the cluster.yaml beside it, where there is one', async () => {
  const folder = folderWith({ 'hosts.json': inventory })
  const file = path.join(folder, 'hosts.json')
  expect(await resolveTarget({ inventory: file }, newPath('elsewhere'))).toEqual({
    inventory: JSON.parse(inventory),
  })
  writeFileSync(path.join(folder, 'cluster.yaml'), example)
  expect((await resolveTarget({ inventory: file }, newPath('elsewhere')))?.clusterFile?.nodes).toHaveLength(3)
})

test('options that contradict one another are refused', async () => {
  const folder = folderWith({ 'cluster.yaml': example })
  await expect(resolveTarget({ local: true, inventory: 'x' }, folder)).rejects.toThrow('choose one')
  await expect(resolveTarget({ port: 9092 }, folder)).rejects.toThrow('cluster.yaml names hosts: add --local')
})
