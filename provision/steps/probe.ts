/** The proof that all is well: a record written and read back through each broker, by a host with the release's probe. */
import { probe } from '../commands/on-host.ts'
import { HOME, USER, hostAndPort } from '../plan.ts'
import { ProvisionError } from '../provision-error.ts'
import type { PlannedHost } from './services.ts'

const TIMEOUT_SECONDS = 60

export interface ProbeResult {
  readonly clusterId: string
  readonly brokers: readonly { readonly id: number; readonly elapsedMs: number }[]
}

export async function probeBrokers(hosts: readonly PlannedHost[]): Promise<ProbeResult> {
  const bootstrap = hosts.map(({ plan }) => hostAndPort(plan.node.address, 9092))
  const { host } = hosts[0]!
  const output = await host.attempt(probe(HOME, USER, bootstrap, hosts.length, TIMEOUT_SECONDS), {
    timeoutMs: (TIMEOUT_SECONDS + 30) * 1_000,
  })
  const answer = parseAnswer(output.stdout)
  if (answer === undefined) {
    throw new ProvisionError(
      `${host.name}: the probe did not run:\n  ${output.stderr.trim() || output.stdout.trim()}`,
    )
  }
  if (!answer.ok) throw new ProvisionError(`a record did not make it through the brokers: ${answer.error}`)
  return answer
}

function parseAnswer(
  stdout: string,
): (ProbeResult & { readonly ok: true }) | { readonly ok: false; readonly error: string } | undefined {
  try {
    return JSON.parse(stdout) as ReturnType<typeof parseAnswer>
  } catch {
    return undefined
  }
}
