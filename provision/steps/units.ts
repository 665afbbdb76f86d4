/** The units of a node: verified by the host's own systemd before they replace what is there, then enabled. */
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import tar from 'tar-stream'

import * as commands from '../commands/units.ts'
import { CommandFailed, HostError } from '../host.ts'
import { BROKER_UNIT, QUORUM_UNIT, type NodePlan, type Unit } from '../plan.ts'
import { ensureFile } from './files.ts'
import type { Changes, Node } from './step.ts'

/** In the order in which they start. */
export const UNITS: readonly Unit[] = [QUORUM_UNIT, BROKER_UNIT]

export async function ensureUnits(node: Node, plan: NodePlan): Promise<Changes> {
  const { host } = node
  const changes: string[] = []
  for (const unit of UNITS) {
    const wanted = {
      path: `${commands.UNIT_FOLDER}/${unit}`,
      owner: 'root:root',
      mode: '0644',
      text: plan.units[unit],
    }
    changes.push(...(await ensureFile(host, wanted)))
  }
  if (changes.length > 0) await host.run(commands.reloadUnits())
  for (const unit of UNITS) {
    if ((await unitState(node, unit)).enabled) continue
    await host.run(commands.enableUnits([unit]))
    changes.push(`enabled ${unit}`)
  }
  return changes
}

/** Refuses units that this host's systemd would not load as meant. */
export async function verifyUnits({ host }: Node, plan: NodePlan): Promise<void> {
  const pack = tar.pack()
  for (const unit of UNITS) pack.entry({ name: unit }, plan.units[unit])
  pack.finalize()
  try {
    await host.run(commands.verifyUnits(UNITS), { stdin: await buffer(Readable.from(pack)) })
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    const complaints = error.output.stdout.trim() || error.output.stderr.trim()
    throw new HostError(
      `${host.name}: its systemd does not accept the units:\n  ${complaints.replaceAll('\n', '\n  ')}`,
    )
  }
}

export async function unitState({ host }: Node, unit: Unit): Promise<commands.UnitState> {
  return commands.parseUnit((await host.run(commands.lookAtUnit(unit))).stdout)
}
