/**
 * Runs one broker with the settings that the command line names, until SIGTERM or SIGINT.
 * Logs are JSON lines on stdout (LOG_LEVEL=debug for more). A start that fails says why in one line on stderr and
 * exits 1; a stop exits 0 within STOP_TIMEOUT_MS.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Config, loadConfig } from './config/config.ts'
import { systemClock } from './runtime/clock.ts'
import { createLogger, type Logger, type LogLevel } from './runtime/logger.ts'
import { BrokerServer } from './server.ts'

const STOP_TIMEOUT_MS = 9_500
const USAGE = 'usage: npm run broker -- server.properties [--override key=value]...'

function readConfig(args: readonly string[]): Config {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { override: { type: 'string', multiple: true } },
  })
  const [file, ...rest] = positionals
  if (file === undefined || rest.length > 0) throw new Error(USAGE)
  const overrides = (values.override ?? []).map((text): [string, string] => {
    const at = text.indexOf('=')
    if (at < 1) throw new Error(`--override ${text}: must be key=value`)
    return [text.slice(0, at).trim(), text.slice(at + 1)]
  })
  return loadConfig(readProperties(file), { file, overrides: Object.fromEntries(overrides) })
}

function readProperties(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new Error(`${file} cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Says why on stderr, in one line, for whoever started the process; the log has the stack as well. */
function report(logger: Logger, error: unknown, message: string): void {
  logger.error({ err: error }, message)
  process.stderr.write(`${message}: ${messageOf(error)}\n`)
}

function fail(logger: Logger, error: unknown, message: string): never {
  report(logger, error, message)
  process.exit(1)
}

/** Closes the broker, for as long as that may take, and ends the process. */
async function stopAndExit(server: BrokerServer, logger: Logger, code: number): Promise<never> {
  setTimeout(() => {
    logger.error({ timeoutMs: STOP_TIMEOUT_MS }, 'stopped without a clean mark: closing took too long')
    process.exit(code)
  }, STOP_TIMEOUT_MS)
  await server.stop()
  logger.info({}, 'broker stopped')
  process.exit(code)
}

/** The result tells whether a signal has come. */
function stopOnSignal(server: BrokerServer, logger: Logger): () => boolean {
  let stopping = false
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return logger.info({ signal }, 'already stopping')
    stopping = true
    logger.info({ signal }, 'stopping')
    await stopAndExit(server, logger, 0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal))
  return () => stopping
}

async function main(): Promise<void> {
  const logger = createLogger({ level: (process.env['LOG_LEVEL'] ?? 'info') as LogLevel })
  process.on('uncaughtException', (error) => fail(logger, error, 'broker failed'))
  let server: BrokerServer
  try {
    const config = readConfig(process.argv.slice(2))
    for (const warning of config.warnings) logger.warn({ warning }, 'setting ignored')
    const onFailure = (error: Error): void => {
      report(logger, error, 'broker failed')
      void stopAndExit(server, logger, 1)
    }
    server = new BrokerServer({ config, clock: systemClock, logger, random: Math.random, onFailure })
  } catch (error) {
    fail(logger, error, 'broker cannot start')
  }
  const stopping = stopOnSignal(server, logger)
  await server.start().catch((error: unknown) => {
    // A signal while it was starting is a stop like any other.
    if (!stopping()) fail(logger, error, 'broker cannot start')
  })
}

await main()
