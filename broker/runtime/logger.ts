/**
 * Logs for people: JSON lines on stdout, one child logger per part.
 * The message is fixed text; whatever varies is a field. error: someone must look. warn: degraded, recovering
 * by itself. info: state changed. debug: per request.
 */
import { pino } from 'pino'

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'

type LogMethod = (fields: object, message: string) => void

/** The part of pino that the broker uses, so that a test can hand in an array instead. */
export interface Logger {
  error: LogMethod
  warn: LogMethod
  info: LogMethod
  debug: LogMethod
  child(fields: object): Logger
}

/** A logger that writes JSON lines to `destination` (a file descriptor; stdout unless told otherwise). */
export function createLogger(
  options: { level?: LogLevel; fields?: object; destination?: number } = {},
): Logger {
  return pino(
    {
      level: options.level ?? 'info',
      base: options.fields ?? {},
      timestamp: pino.stdTimeFunctions.isoTime,
      // Both names are in use; an Error under any other would come out as {}.
      serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err },
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: options.destination ?? 1, sync: true }),
  )
}

/** Drops everything: for tests that assert on behaviour, not on logs. */
export const silentLogger: Logger = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silentLogger,
}
