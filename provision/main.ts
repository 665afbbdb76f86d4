/**
 * `npm run provision`: reads the command line, decides whether hosts or this machine are meant, runs one command and
 * prints its outcome, as lines or as JSON. Exit codes are in outcome.ts.
 */
import process from 'node:process'

import { Command, CommanderError, InvalidArgumentError } from 'commander'

import { DEFAULT_FOLDER, DEFAULT_PORT } from './local/provision-local.ts'
import { localCommands } from './local/local-commands.ts'
import { EXIT_CODES, InterruptedError } from './outcome.ts'
import type { Commands, Outcome } from './outcome.ts'
import { createProgress, silentProgress } from './progress.ts'
import { CLUSTER_FILE, UsageError, resolveTarget } from './target.ts'
import type { TargetOptions } from './target.ts'

const MAX_FIRST_PORT = 65_533

interface Options extends TargetOptions {
  readonly json?: true
  readonly yes?: true
  readonly node?: number
}

type Run = (commands: Commands, options: Options) => Promise<Outcome>

const program = new Command('npm run provision --')
  .description(
    'Makes a Kafka-compatible cluster and keeps it as described. It looks first and changes only what differs, ' +
      'so it can be repeated at any time.\n\n' +
      `Where there is a ${CLUSTER_FILE}, or with --inventory or --cluster: on the hosts that the file names, over SSH. ` +
      `Otherwise: three brokers on this machine, with their data in ${DEFAULT_FOLDER}.`,
  )
  .option('--inventory <file>', 'hosts: who they are, as JSON (also the outputs of the AWS stack)')
  .option('--cluster <file>', `hosts: the description of the cluster (default: ${CLUSTER_FILE})`)
  .option('--local', `this machine, even where there is a ${CLUSTER_FILE}`)
  .option('--folder <path>', `this machine: where data, settings and output go (default: ${DEFAULT_FOLDER})`)
  .option('--port <port>', `this machine: the first broker's (default: ${DEFAULT_PORT})`, parsePort)
  .option('--json', 'print the outcome as one JSON object, and no progress')
  .helpOption('--help', 'show this')
  .helpCommand(false)
  .addHelpText(
    'after',
    `
Exit codes: 0 done (status: all is well), 1 failed, 2 wrong command line, 3 status: not all is well.

Examples:
  npm run provision                              make the cluster, or see that it is as it should be
  npm run provision -- --port 19092              on this machine, ports 19092 to 19094
  npm run provision -- --inventory hosts.json    on these hosts
  npm run provision -- status --json`,
  )
  .exitOverride()
  .allowExcessArguments()
  .action((_options, command: Command) => {
    if (command.args.length > 0)
      command.error(`error: unknown command '${command.args[0]}' (--help lists them)`)
    return run(command, (commands) => commands.provision())
  })

program
  .command('status')
  .description('what runs, who leads, which replicas are behind; changes nothing')
  .action((_options, command: Command) => run(command, (commands) => commands.status()))

program
  .command('stop')
  .description('stop the brokers, one after another; the data stays')
  .action((_options, command: Command) => run(command, (commands) => commands.stop()))

program
  .command('destroy')
  .description('this machine: stop the brokers and delete the cluster with its data')
  .option('--yes', 'do not ask')
  .action((_options, command: Command) =>
    run(command, (commands, options) => commands.destroy(options.yes === true)),
  )

program
  .command('recover-meta')
  .description(
    'a broker that refuses its meta.properties: compares, says which side is wrong, repairs that with a backup',
  )
  .requiredOption('--node <id>', 'the node whose broker does not start', parseId)
  .action((_options, command: Command) =>
    run(command, (commands, options) => commands.recoverMeta(options.node!)),
  )

async function run(command: Command, action: Run): Promise<void> {
  const options: Options = command.optsWithGlobals()
  try {
    const outcome = await action(await commandsFor(options), options)
    const text = options.json === true ? JSON.stringify(outcome.json) : outcome.text
    if (text !== '') process.stdout.write(`${text}\n`)
    process.exitCode = outcome.exitCode
  } catch (error) {
    if (error instanceof UsageError) command.error(`error: ${error.message}`)
    fail(error, options)
  }
}

/** What hosts need (SSH, the release) is loaded only where hosts are meant. */
async function commandsFor(options: Options): Promise<Commands> {
  const progress = options.json === true ? silentProgress : createProgress(process.stdout)
  const target = await resolveTarget(options, process.cwd())
  if (target !== undefined) return (await import('./hosts-commands.ts')).hostsCommands(target, progress)
  return localCommands({
    folder: options.folder ?? DEFAULT_FOLDER,
    ...(options.port === undefined ? {} : { port: options.port }),
    progress,
  })
}

function fail(error: unknown, options: Options): void {
  const message = describe(error)
  if (options.json === true) process.stdout.write(`${JSON.stringify({ ok: false, error: message })}\n`)
  process.stderr.write(`\n${message}\n`)
  process.exitCode = error instanceof InterruptedError ? EXIT_CODES.interrupted : EXIT_CODES.failed
}

/** What the operator can act on is told as it is; a mistake in the program, with its stack. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const mistakes = [TypeError, RangeError, ReferenceError, SyntaxError]
  return mistakes.some((mistake) => error instanceof mistake) ? `unexpected: ${error.stack}` : error.message
}

function parsePort(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port > 0 && port <= MAX_FIRST_PORT) return port
  throw new InvalidArgumentError(`A port is a number from 1 to ${MAX_FIRST_PORT}.`)
}

function parseId(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('A node id is a whole number.')
}

// Who reads may go away (`| head`): what was begun is finished all the same.
process.stdout.on('error', () => {})

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = error.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.usage
}
