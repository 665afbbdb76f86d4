/**
 * `npm run provision`: reads the command line, decides whether hosts or this machine are meant, runs one command and
 * prints its outcome, as lines or as JSON. Exit codes are in outcome.ts.
 */
import process from 'node:process'

import { Command, CommanderError, InvalidArgumentError } from 'commander'

import { explain } from '../tools/client-errors.ts'
import { destroyCommand, provisionCommand, statusCommand, stopCommand } from './local/local-commands.ts'
import type { LocalCommand } from './local/local-commands.ts'
import { DEFAULT_FOLDER, DEFAULT_PORT } from './local/provision-local.ts'
import { EXIT_CODES } from './outcome.ts'
import type { Outcome } from './outcome.ts'
import { createProgress, silentProgress } from './progress.ts'
import { ProvisionError } from './provision-error.ts'

const CLUSTER_FILE = 'cluster.yaml'
const MAX_FIRST_PORT = 65_533

interface Options {
  readonly inventory?: string
  readonly cluster?: string
  readonly local?: true
  readonly folder?: string
  readonly port?: number
  readonly json?: true
  readonly yes?: true
  readonly node?: number
}

const cancel = new AbortController()

const program = new Command('npm run provision --')
  .description(
    'Makes a Kafka-compatible cluster and keeps it as described.\n\n' +
      `Without ${CLUSTER_FILE} here and without --inventory: three brokers on this machine, with their data in\n` +
      `${DEFAULT_FOLDER}. Otherwise: the hosts that the file names, over SSH.\n\n` +
      'It looks first and changes only what differs, so it can be repeated at any time.',
  )
  .option('--inventory <file>', 'the hosts, as JSON (or the outputs of the AWS stack)')
  .option('--cluster <file>', `the description of the cluster (default: ${CLUSTER_FILE}, where it is there)`)
  .option('--local', `this machine, even where ${CLUSTER_FILE} is there`)
  .option('--folder <path>', `this machine: where data, settings and output go (default: ${DEFAULT_FOLDER})`)
  .option('--port <port>', `this machine: of the first broker (default: ${DEFAULT_PORT})`, parsePort)
  .option('--json', 'print the outcome as one JSON object, and no progress')
  .helpOption('--help', 'show this')
  .addHelpText(
    'after',
    `
Exit codes: 0 done (status: all is well), 1 failed, 2 wrong command line, 3 status: not all is well.

Examples:
  npm run provision                                  the cluster, here or on the hosts of ${CLUSTER_FILE}
  npm run provision -- --port 19092                  here, on ports 19092 to 19094
  npm run provision -- --inventory hosts.json        on these hosts
  npm run provision -- status --json`,
  )
  .exitOverride()
  .allowExcessArguments()
  .action((options: Options, command: Command) => {
    if (command.args.length > 0)
      command.error(`error: unknown command '${command.args[0]}' (--help lists them)`)
    return run(options, provisionCommand)
  })

program
  .command('status')
  .description('what runs, who leads, which replicas are behind')
  .action((_own, command: Command) => run(command.optsWithGlobals(), statusCommand))

program
  .command('stop')
  .description('this machine: stop the brokers, one after another; the data stays')
  .action((_own, command: Command) => run(command.optsWithGlobals(), stopCommand))

program
  .command('destroy')
  .description('this machine: stop the brokers and delete the cluster with its data')
  .option('--yes', 'do not ask')
  .action((_own, command: Command) => {
    const options: Options = command.optsWithGlobals()
    return run(options, (local) => destroyCommand({ ...local, yes: options.yes === true }))
  })

async function run(
  options: Options,
  onThisMachine: (command: LocalCommand) => Promise<Outcome>,
): Promise<void> {
  try {
    const outcome = await onThisMachine({
      folder: options.folder ?? DEFAULT_FOLDER,
      ...(options.port === undefined ? {} : { port: options.port }),
      progress: options.json ? silentProgress : createProgress(process.stdout),
      cancel: cancel.signal,
    })
    const text = options.json ? JSON.stringify(outcome.json) : outcome.text
    if (text !== '') process.stdout.write(`${text}\n`)
    process.exitCode = outcome.exitCode
  } catch (error) {
    fail(error, options)
  }
}

function fail(error: unknown, options: Options): void {
  const message = cancel.signal.aborted ? 'interrupted: what was begun has been undone' : describe(error)
  if (options.json) process.stdout.write(`${JSON.stringify({ ok: false, error: message })}\n`)
  process.stderr.write(`\n${message}\n`)
  process.exitCode = cancel.signal.aborted ? EXIT_CODES.interrupted : EXIT_CODES.failed
}

/** What the operator can act on is told as it is; what only a programmer can, with its stack. */
function describe(error: unknown): string {
  if (error instanceof ProvisionError || !(error instanceof Error)) return explain(error)
  return `unexpected: ${error.stack ?? error.message}`
}

function parsePort(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port > 0 && port <= MAX_FIRST_PORT) return port
  throw new InvalidArgumentError(`a port is a number from 1 to ${MAX_FIRST_PORT}.`)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => cancel.abort(new ProvisionError(signal)))

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = error.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.usage
}
