/**
 * The program that the cdktf command line runs: cluster.yaml in, Terraform's JSON in cdktf.out/stacks/<cluster> out.
 * The only file of the stacks that reads the environment: CLUSTER_FILE names another file than cluster.yaml.
 * Credentials, and AWS_ENDPOINT_URL where tests put another service in AWS's place, are the AWS provider's own matter.
 */
import { App } from 'cdktf'
import { clusterFolder, stateFile } from '../provision/inventory.ts'
import { ClusterFileError, readClusterFile } from '../provision/cluster-file.ts'
import { ClusterStack } from './cluster-stack.ts'
import { ensureHostKeys } from './host-keys.ts'
import { readSettings, SettingsError } from './settings.ts'

try {
  const file = await readClusterFile(process.env['CLUSTER_FILE'] ?? 'cluster.yaml')
  const settings = await readSettings(file)
  const hostKeys = await ensureHostKeys(
    clusterFolder(file),
    settings.nodes.map(({ name }) => name),
  )
  const app = new App()
  new ClusterStack(app, settings, {
    hostKeys,
    stateFile: stateFile(file),
    // What a stand-in for AWS cannot do it never will; the provider would ask it again for a quarter of an hour.
    ...(process.env['AWS_ENDPOINT_URL'] !== undefined && { maxRetries: 1 }),
  })
  app.synth()
} catch (error) {
  if (!(error instanceof ClusterFileError || error instanceof SettingsError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
