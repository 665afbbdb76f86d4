/**
 * `node tools/probe.ts --bootstrap host:port,host:port`: writes and reads a record through each broker and says so,
 * a line a broker. Exit code 0 when all passed, 1 when not (one line on stderr), 2 for a wrong command line.
 */
import process from 'node:process'

import { Command, InvalidArgumentError } from 'commander'

import { ProbeError, probeCluster } from './cluster-probe.ts'
import type { BrokerProbe } from './cluster-probe.ts'

interface Options {
  bootstrap: string[]
  brokers?: number
  timeout: number
  json?: true
}

const command = new Command('probe')
  .description('Writes and reads a record through each broker of a Kafka cluster.')
  .requiredOption('--bootstrap <host:port,...>', 'some brokers of the cluster', parseBootstrap)
  .option('--brokers <count>', 'wait until this many brokers are registered', parseCount)
  .option('--timeout <seconds>', 'give up after this time', parseCount, 20)
  .option('--json', 'print one JSON object')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .action(run)

async function run(options: Options): Promise<void> {
  try {
    const result = await probeCluster({
      bootstrap: options.bootstrap,
      timeoutMs: options.timeout * 1000,
      ...(options.brokers === undefined ? {} : { expectedBrokers: options.brokers }),
      onBroker: (broker) => options.json ?? print(describe(broker)),
    })
    if (options.json) print(JSON.stringify({ ok: true, ...result }))
  } catch (error) {
    if (!(error instanceof ProbeError)) throw error
    if (options.json) print(JSON.stringify({ ok: false, error: error.message }))
    else process.stderr.write(`probe failed: ${error.message}\n`)
    process.exitCode = 1
  }
}

function describe({ id, host, port, elapsedMs }: BrokerProbe): string {
  return `broker ${id} at ${host}:${port}: wrote and read a record in ${Math.round(elapsedMs)} ms`
}

function parseBootstrap(text: string): string[] {
  const addresses = text.split(',').map((address) => address.trim())
  for (const address of addresses) {
    if (!/^\S+:\d{1,5}$/.test(address)) throw new InvalidArgumentError(`"${address}" is not host:port.`)
  }
  return addresses
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text))
    throw new InvalidArgumentError(`"${text}" is not a positive whole number.`)
  return Number(text)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

await command.parseAsync()
