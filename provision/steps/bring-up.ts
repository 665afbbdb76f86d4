/** The services of all hosts, as planned and healthy: started where they are down, restarted where they are stale. */
import type { Clock } from '../../broker/runtime/clock.ts'
import type { ClusterView } from '../cluster-view.ts'
import { UNIT_FOLDER } from '../commands/units.ts'
import { BROKER_UNIT, CONFIG_FOLDER, QUORUM_UNIT, type Unit } from '../plan.ts'
import type { Progress } from '../progress.ts'
import { ProvisionError } from '../provision-error.ts'
import {
  awaitBrokers,
  awaitQuorum,
  refuseLostMembers,
  restart,
  staleUnits,
  startWhereDown,
} from './services.ts'
import type { Deed, PlannedHost } from './services.ts'
import type { Change } from './step.ts'

export interface BroughtUp {
  readonly clusterId: string
  readonly deeds: readonly Deed[]
}

/** Starts the quorum, then the brokers, then restarts node by node what runs something else than planned. */
export async function bringUp(
  hosts: readonly PlannedHost[],
  changes: readonly Change[],
  progress: Progress,
  clock: Clock,
): Promise<BroughtUp> {
  const deeds: Deed[] = []
  await progress.step('quorum', async (result) => {
    await refuseLostMembers(hosts)
    const done = await startWhereDown(hosts, QUORUM_UNIT, memberIsHealthy)
    await awaitQuorum(hosts, clock)
    deeds.push(...done)
    result(`healthy, ${summary(done)}`)
  })
  const { image } = await progress.step('brokers', async (result) => {
    const done = await startWhereDown(hosts, BROKER_UNIT, isRegistered)
    const whole = await awaitBrokers(hosts, clock)
    deeds.push(...done)
    result(`healthy, ${summary(done)}`)
    return whole
  })
  for (const host of hosts) {
    const { id } = host.inventory
    const edited = editedUnits(id, changes).filter(
      (unit) => !deeds.some((deed) => deed.node === id && deed.unit === unit),
    )
    const stale = new Set([...(await staleUnits(host)), ...edited])
    if (stale.size === 0) continue
    await progress.step(`node ${id}`, async (result) => {
      for (const unit of stale) {
        await restart(host, unit)
        await awaitQuorum(hosts, clock)
        await awaitBrokers(hosts, clock)
        deeds.push({ node: id, unit, what: 'restarted' })
      }
      result(`restarted ${[...stale].join(', ')}; all is in sync again`)
    })
  }
  if (image?.clusterId === undefined)
    throw new ProvisionError('the brokers run, but the quorum has no cluster id')
  return { clusterId: image.clusterId, deeds }
}

/** Units whose files this run has put right: also where the process was started with the right ones, or so it says. */
function editedUnits(node: number, changes: readonly Change[]): Unit[] {
  const files: Readonly<Record<Unit, readonly string[]>> = {
    [QUORUM_UNIT]: [`${CONFIG_FOLDER}/quorum.json`, `${UNIT_FOLDER}/${QUORUM_UNIT}`],
    [BROKER_UNIT]: [`${CONFIG_FOLDER}/server.properties`, `${UNIT_FOLDER}/${BROKER_UNIT}`],
  }
  const own = changes.filter((change) => change.node === node).map(({ what }) => what)
  return [QUORUM_UNIT, BROKER_UNIT].filter((unit): unit is Unit =>
    files[unit as Unit].some((file) => own.includes(`changed ${file}`)),
  )
}

function memberIsHealthy({ members }: ClusterView, node: number): boolean {
  return members.some((member) => member.node === node && member.healthy)
}

function isRegistered({ image }: ClusterView, node: number): boolean {
  return image?.brokers.has(node) === true
}

function summary(deeds: readonly Deed[]): string {
  if (deeds.length === 0) return 'nothing started'
  return `${deeds[0]!.what} on node ${deeds.map(({ node }) => node).join(', ')}`
}
