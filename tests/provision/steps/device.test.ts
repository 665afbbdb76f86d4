import { ensureDevice } from '../../../provision/steps/device.ts'
import type { Node } from '../../../provision/steps/step.ts'
import { ScriptedHost } from '../../support/scripted-host.ts'

const DEVICE = '/dev/disk/by-id/nvme-vol1'

/** A node whose look at the device is answered so. */
function nodeThatSees(look: string): Node & { host: ScriptedHost } {
  const inventory = {
    id: 1,
    name: 'b-1',
    sshHost: '10.0.1.11',
    sshPort: 22,
    sshUser: 'ubuntu',
    address: '10.0.1.11',
    hostKeys: [],
    dataDevice: DEVICE,
  }
  return { inventory, host: new ScriptedHost([[/blkid -p/, look]]) }
}

test('an empty device gets a file system and is mounted, now and at every boot', async () => {
  const node = nodeThatSees('/dev/nvme1n1 - no no')
  expect(await ensureDevice(node)).toEqual([
    `made a file system on ${DEVICE}`,
    `mounts ${DEVICE} on /home/kafka/logs at boot`,
    `mounted ${DEVICE} on /home/kafka/logs`,
  ])
  expect(node.host.ran[1]).toMatch(/mkfs.ext4 .* \/dev\/nvme1n1$/)
  expect(node.host.ran[2]).toMatch(/\/etc\/fstab[\s\S]* \/dev\/nvme1n1 \/home\/kafka\/logs$/)
})

test('one that holds records, of a machine that was replaced, is mounted and not formatted', async () => {
  const node = nodeThatSees('/dev/nvme1n1 ext4 no no')
  expect(await ensureDevice(node)).toHaveLength(2)
  expect(node.host.ran.join('\n')).not.toContain('mkfs')
})

test('one that is mounted already is left alone', async () => {
  const node = nodeThatSees('/dev/nvme1n1 ext4 yes yes')
  expect(await ensureDevice(node)).toEqual([])
  expect(node.host.ran).toHaveLength(1)
})

test.each([
  ['another file system', '/dev/nvme1n1 xfs no no', /holds xfs, not the ext4 that brokerkit makes/],
  ['partitions', '/dev/nvme1n1 partitions no no', /holds partitions/],
  [
    'no device',
    '- - no no',
    /there is no block device \/dev\/disk\/by-id\/nvme-vol1 \(dataDevice\); is the volume attached\?/,
  ],
])('%s: nothing is touched', async (_, look, message) => {
  const node = nodeThatSees(look)
  await expect(ensureDevice(node)).rejects.toThrow(message)
  expect(node.host.ran).toHaveLength(1)
})

test('without a data device, nothing is looked at', async () => {
  const host = new ScriptedHost([])
  const { dataDevice: _unused, ...inventory } = nodeThatSees('').inventory
  expect(await ensureDevice({ host, inventory })).toEqual([])
  expect(host.ran).toEqual([])
})
