/**
 * Can this host run a broker? Looks only. A finding stops provisioning, unless cluster.yaml's `accept` names its kind
 * and the kind is one that can be lived with.
 */
import { askFacts, askTime, parseFacts, type Facts } from '../commands/facts.ts'
import type { AcceptedFinding } from '../cluster-file.ts'
import type { Host } from '../host.ts'
import { BROKER_UNIT, LOG_FOLDER, PORTS, QUORUM_UNIT } from '../plan.ts'
import type { Architecture } from '../release-packages.ts'
import type { Node } from './step.ts'

export type FindingKind = AcceptedFinding | 'architecture' | 'glibc' | 'systemd' | 'ports'

export interface Finding {
  readonly kind: FindingKind
  readonly text: string
}

/** A host's facts and its clock against the control machine's. */
export interface Surveyed extends Facts {
  /** The host's clock minus ours. */
  readonly clockOffsetMs: number
  /** How far that may be off: half the round trip. */
  readonly clockErrorMs: number
}

export interface Wanted {
  readonly memoryMiB: number
}

const OS = 'ubuntu 22.04'
const CORES = 8
/** What the kernel, the system's services and people on the host take, besides the two units. */
const SYSTEM_MEMORY_MIB = 1024
const FREE_DISK_MIB = 10 * 1024
const GLIBC = '2.28'
const SYSTEMD = 247
const MAX_CLOCK_DIFFERENCE_MS = 500
const CLOCK_PROBES = 3

export async function survey({ host }: Node): Promise<Surveyed> {
  const facts = parseFacts((await host.run(askFacts(LOG_FOLDER))).stdout)
  return { ...facts, ...(await clockOffset(host)) }
}

/** What speaks against one host. */
export function findings(facts: Facts, wanted: Wanted): Finding[] {
  const found: Finding[] = []
  const report = (kind: FindingKind, text: string): void => void found.push({ kind, text })
  if (facts.os !== OS) report('os', `runs ${facts.os}; ${OS} is what brokerkit is tested for`)
  if (facts.architecture === undefined)
    report('architecture', `is a ${facts.machine}; x86_64 or aarch64 is needed`)
  if (facts.cores < CORES) report('cores', `has ${facts.cores} cores; ${CORES} are asked for`)
  if (facts.memoryMiB < wanted.memoryMiB + SYSTEM_MEMORY_MIB) {
    report(
      'memory',
      `has ${facts.memoryMiB} MiB of memory; broker and quorum may take ${wanted.memoryMiB} (memoryMiB in ` +
        `cluster.yaml), and the system needs ${SYSTEM_MEMORY_MIB}`,
    )
  }
  if (facts.freeDiskMiB < FREE_DISK_MIB) {
    report('disk', `has ${facts.freeDiskMiB} MiB free for ${LOG_FOLDER}; ${FREE_DISK_MIB} is the least`)
  }
  if (facts.glibc === undefined || isOlder(facts.glibc, GLIBC)) {
    report(
      'glibc',
      `has ${facts.glibc === undefined ? 'no glibc' : `glibc ${facts.glibc}`}; Node.js needs ${GLIBC}`,
    )
  }
  if (facts.systemd === undefined || facts.systemd < SYSTEMD) {
    report(
      'systemd',
      `has ${facts.systemd === undefined ? 'another init' : `systemd ${facts.systemd}`}; systemd ${SYSTEMD} is needed`,
    )
  }
  return [...found, ...portFindings(facts)]
}

/** Hosts whose clocks differ: timestamps, retention and logs would tell different stories. */
export function clockFinding(surveyed: ReadonlyMap<string, Surveyed>): Finding | undefined {
  const byOffset = [...surveyed].toSorted(([, a], [, b]) => a.clockOffsetMs - b.clockOffsetMs)
  const [first, last] = [byOffset[0], byOffset.at(-1)]
  if (first === undefined || last === undefined) return undefined
  const differenceMs = last[1].clockOffsetMs - first[1].clockOffsetMs
  const errorMs = last[1].clockErrorMs + first[1].clockErrorMs
  if (differenceMs - errorMs <= MAX_CLOCK_DIFFERENCE_MS) return undefined
  return {
    kind: 'clock',
    text: `the clock of ${last[0]} is ${Math.round(differenceMs)} ms ahead of that of ${first[0]}; is NTP running on both?`,
  }
}

export function isAccepted(finding: Finding, accepted: readonly AcceptedFinding[]): boolean {
  return accepted.some((kind) => kind === finding.kind)
}

/** The one architecture of a host that passed. */
export function architectureOf(facts: Facts): Architecture {
  if (facts.architecture === undefined) throw new Error(`no release for a ${facts.machine}`)
  return facts.architecture
}

function portFindings(facts: Facts): Finding[] {
  const ours = Object.entries(PORTS).flatMap(([unit, ports]) => ports.map((port) => ({ unit, port })))
  return ours.flatMap(({ unit, port }) => {
    const holder = facts.listeners.find((listener) => listener.port === port && listener.unit !== unit)
    if (holder === undefined) return []
    const process = `${holder.process}${holder.pid === undefined ? '' : ` (pid ${holder.pid})`}`
    const role = unit === BROKER_UNIT ? 'the broker' : unit === QUORUM_UNIT ? 'the quorum' : unit
    return [{ kind: 'ports' as const, text: `has port ${port} taken by ${process}; ${role} needs it` }]
  })
}

/** The best of a few probes, as the one with the shortest round trip tells most. */
async function clockOffset(host: Host): Promise<Pick<Surveyed, 'clockOffsetMs' | 'clockErrorMs'>> {
  let best = { clockOffsetMs: 0, clockErrorMs: Infinity }
  for (let probe = 0; probe < CLOCK_PROBES; probe++) {
    const before = Date.now()
    const theirs = Number((await host.run(askTime())).stdout)
    const after = Date.now()
    const clockErrorMs = (after - before) / 2 + 1
    if (clockErrorMs < best.clockErrorMs)
      best = { clockOffsetMs: theirs - (before + after) / 2, clockErrorMs }
  }
  return best
}

function isOlder(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [thanMajor = 0, thanMinor = 0] = than.split('.').map(Number)
  return major < thanMajor || (major === thanMajor && minor < thanMinor)
}
