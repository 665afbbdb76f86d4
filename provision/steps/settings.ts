/** Folders and settings of a node's services. Settings are root's, so that a service cannot change its own. */
import {
  BROKER_UNIT,
  CONFIG_FOLDER,
  LOG_FOLDER,
  OUTPUT_FILES,
  QUORUM_FOLDER,
  QUORUM_UNIT,
  USER,
} from '../plan.ts'
import type { NodePlan } from '../plan.ts'
import { ensureAppendedFile, ensureFile, ensureFolder } from './files.ts'
import type { Changes, Node } from './step.ts'

const OWN = `${USER}:${USER}`
const READABLE = { owner: `root:${USER}`, mode: '0640' }

export async function ensureSettings({ host }: Node, plan: NodePlan): Promise<Changes> {
  const changes = [
    await ensureFolder(host, CONFIG_FOLDER, { owner: `root:${USER}`, mode: '0750' }),
    await ensureFolder(host, LOG_FOLDER, { owner: OWN, mode: '0750' }),
    await ensureFolder(host, QUORUM_FOLDER, { owner: OWN, mode: '0700' }),
    await ensureAppendedFile(host, OUTPUT_FILES[BROKER_UNIT], { owner: OWN, mode: '0640' }),
    await ensureAppendedFile(host, OUTPUT_FILES[QUORUM_UNIT], { owner: OWN, mode: '0640' }),
    await ensureFile(host, {
      path: `${CONFIG_FOLDER}/server.properties`,
      text: plan.serverProperties,
      ...READABLE,
    }),
    await ensureFile(host, { path: `${CONFIG_FOLDER}/quorum.json`, text: plan.quorumConfig, ...READABLE }),
    await ensureFile(host, {
      path: '/etc/logrotate.d/brokerkit',
      text: rotation(),
      owner: 'root:root',
      mode: '0644',
    }),
  ]
  return changes.flat()
}

/** systemd keeps the files open, so they are copied and cut rather than moved. */
function rotation(): string {
  return `# Written by brokerkit.
${OUTPUT_FILES[BROKER_UNIT]} ${OUTPUT_FILES[QUORUM_UNIT]} {
    su root root
    size 100M
    rotate 5
    copytruncate
    compress
    delaycompress
    missingok
    notifempty
}
`
}
