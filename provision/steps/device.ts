/**
 * The data device, where the inventory names one: a file system, a mount at every boot. Whatever is on the device
 * already stays: only a device with nothing on it is formatted.
 */
import * as devices from '../commands/device.ts'
import { HostError } from '../host.ts'
import { LOG_FOLDER } from '../plan.ts'
import type { Changes, Node } from './step.ts'

const FORMAT_TIMEOUT_MS = 300_000

export async function ensureDevice({ host, inventory }: Node): Promise<Changes> {
  const name = inventory.dataDevice
  if (name === undefined) return []
  const found = devices.parseDevice((await host.run(devices.lookAtDevice(name, LOG_FOLDER))).stdout)
  const changes: string[] = []
  if (found.device === undefined) {
    throw new HostError(
      `${host.name}: there is no block device ${name} (dataDevice); is the volume attached?`,
    )
  }
  if (found.fileSystem === undefined) {
    await host.run(devices.makeFileSystem(found.device), { timeoutMs: FORMAT_TIMEOUT_MS })
    changes.push(`made a file system on ${name}`)
  } else if (found.fileSystem !== 'ext4') {
    throw new HostError(
      `${host.name}: ${name} holds ${found.fileSystem}, not the ext4 that brokerkit makes. If nothing on it is needed, ` +
        `run "wipefs --all ${name}" on the host and provision again.`,
    )
  }
  if (!found.inFstab) {
    await host.run(devices.mountAtBoot(found.device, LOG_FOLDER))
    changes.push(`mounts ${name} on ${LOG_FOLDER} at boot`)
  }
  if (!found.mounted) {
    await host.run(devices.mount(LOG_FOLDER))
    changes.push(`mounted ${name} on ${LOG_FOLDER}`)
  }
  return changes
}
