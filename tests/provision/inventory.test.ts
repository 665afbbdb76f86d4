import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseClusterFile } from '../../provision/cluster-file.ts'
import {
  inventoryFromClusterFile,
  inventoryFromOutputs,
  inventoryOf,
  readInventory,
  stateFile,
  type Inventory,
} from '../../provision/inventory.ts'

const inventory: Inventory = {
  cluster: 'demo',
  nodes: [
    {
      id: 1,
      name: 'demo-1',
      sshHost: '203.0.113.5',
      sshPort: 22,
      sshUser: 'ubuntu',
      address: '10.20.0.10',
      hostKeys: ['ssh-ed25519 AAAA'],
      rack: 'eu-central-1a',
    },
  ],
}
const VMS = `name: demo
nodes:
  - { id: 7, address: 10.0.0.7, sshAddress: 203.0.113.7, rack: a, hostKeys: [ssh-ed25519 AAAA] }
ssh: { user: admin, port: 2222 }
`
const AWS = 'name: demo\nnodes: [{ id: 1 }]\naws: { region: eu-central-1, sshFrom: [203.0.113.0/24] }\n'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'brokerkit-inventory-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function written(name: string, content: unknown): Promise<string> {
  const file = path.join(folder, name)
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

test('a cluster file with addresses is an inventory', () => {
  expect(inventoryFromClusterFile(parseClusterFile(VMS, '/x/cluster.yaml'))).toEqual({
    cluster: 'demo',
    nodes: [
      {
        id: 7,
        name: 'demo-7',
        sshHost: '203.0.113.7',
        sshPort: 2222,
        sshUser: 'admin',
        address: '10.0.0.7',
        hostKeys: ['ssh-ed25519 AAAA'],
        rack: 'a',
      },
    ],
  })
})

test.each([
  ['an inventory file', inventory],
  ['outputs of cdktf deploy', { demo: { inventory } }],
  [
    'outputs of terraform output -json',
    { inventory: { sensitive: false, type: ['object', {}], value: inventory } },
  ],
  ['a state file', { version: 4, outputs: { inventory: { value: inventory, type: [] } }, resources: [] }],
])('%s is read', async (_, content) => {
  expect(await readInventory(await written('inventory.json', content))).toEqual(inventory)
})

test('what Terraform says is null is left out', () => {
  const nodes = inventory.nodes.map((node) => ({ ...node, dataDevice: null }))
  expect(inventoryFromOutputs({ demo: { inventory: { ...inventory, nodes } } }, 'outputs')).toEqual(inventory)
})

test.each([
  ['not JSON', 'nodes:', /is not JSON/],
  ['no inventory in it', { demo: { vpc: 'x' } }, /has no output "inventory"; has the stack been deployed\?/],
  [
    'a field missing',
    { ...inventory, nodes: [{ id: 1 }] },
    /is not an inventory: nodes\.0 must have required property 'name'/,
  ],
  [
    'a field unknown',
    { ...inventory, region: 'x' },
    /the inventory must NOT have additional properties \("region"\)/,
  ],
  [
    'an id twice',
    { ...inventory, nodes: [inventory.nodes[0], inventory.nodes[0]] },
    /node id 1 is used twice/,
  ],
])('a file with %s is refused, by its name', async (_, content, message) => {
  const file = await written('inventory.json', content)
  const reading = readInventory(file)
  await expect(reading).rejects.toThrow(message)
  await expect(reading).rejects.toThrow(file)
})

test('a file that is not there is refused', async () => {
  await expect(readInventory(path.join(folder, 'none.json'))).rejects.toThrow(
    /none\.json cannot be read: ENOENT/,
  )
})

test("the machines of the stack are found in Terraform's state beside the cluster file", async () => {
  const file = parseClusterFile(AWS, path.join(folder, 'cluster.yaml'))
  await expect(inventoryOf(file)).rejects.toThrow(
    `cluster.yaml names no addresses, and there is no ${folder}/.brokerkit/demo/terraform.tfstate: make the machines first with npm run deploy`,
  )
  await written(path.relative(folder, stateFile(file)), {
    version: 4,
    outputs: { inventory: { value: inventory } },
  })
  expect(await inventoryOf(file)).toEqual(inventory)
})
