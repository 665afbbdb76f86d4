/** The commands of `npm run provision` for hosts: what each one says when it has ended. */
import type { HostsTarget } from './fleet.ts'
import { EXIT_CODES } from './outcome.ts'
import type { Commands, Outcome } from './outcome.ts'
import type { Progress } from './progress.ts'
import { hostsStatus } from './remote-status.ts'
import { destroyHosts, provisionHosts, stopHosts } from './remote.ts'
import type { ProvisionHostsResult } from './remote.ts'
import { recoverMeta } from './runbooks/recover-meta.ts'
import { formatTable } from './table.ts'

export function hostsCommands(target: HostsTarget, progress: Progress): Commands {
  return {
    provision: async () => provisioned(await provisionHosts(target, { progress })),
    status: () => status(target),
    async stop() {
      const stopped = await stopHosts(target, { progress })
      return {
        exitCode: EXIT_CODES.done,
        text: stopped.length === 0 ? '0 changed: nothing was running' : 'The data is kept on the hosts.',
        json: { ok: true, stopped, changed: stopped.length },
      }
    },
    destroy: async () => destroyHosts(target),
    async recoverMeta(node) {
      const result = await recoverMeta(target, node, { progress })
      const untouched = result.verdict.action === 'none' && !result.restarted
      return {
        exitCode: EXIT_CODES.done,
        text: untouched ? '0 changed: the broker runs, and its meta.properties is right.' : '',
        json: { ok: true, ...result },
      }
    },
  }
}

function provisioned(result: ProvisionHostsResult): Outcome {
  const changed = result.changes.length + result.started.length + result.restarted.length
  const changes = result.changes.map(({ node, step, what }) => `  node ${node}, ${step}: ${what}`)
  const counts = `${result.changes.length} changed, ${result.started.length} started, ${result.restarted.length} restarted`
  return {
    exitCode: EXIT_CODES.done,
    text: [...changes, `${counts}. Clients connect to\n\n  ${result.bootstrap.join(',')}`].join('\n'),
    json: { ok: true, ...result, changed },
  }
}

async function status(target: HostsTarget): Promise<Outcome> {
  const found = await hostsStatus(target)
  const rows = [
    ['node', 'name', 'address', 'quorum', 'broker', 'registered'],
    ...found.nodes.map(({ id, name, address, quorum, broker, registered }) => {
      return [String(id), name, address, quorum, broker, registered ? 'yes' : 'no']
    }),
  ]
  const title = `cluster ${found.cluster} (${found.clusterId ?? 'not answering'}): ${found.healthy ? 'all is well' : 'not well'}`
  const problems = found.problems.length === 0 ? [] : ['', ...found.problems]
  return {
    exitCode: found.healthy ? EXIT_CODES.done : EXIT_CODES.unwell,
    text: [title, '', formatTable(rows), ...problems].join('\n'),
    json: { ok: true, ...found },
  }
}
