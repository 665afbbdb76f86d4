/** What happened, for whoever reads a failed run: the faults, and the last lines of the brokers' logs. */
import type { Logger } from '../../broker/runtime/logger.ts'
import type { World } from './world.ts'

const MAX_LINES = 5_000

export class Story {
  readonly #world: World
  #lines: string[] = []
  /** Errors that nobody expects of a broker, whatever happens around it. */
  readonly violations: string[] = []

  constructor(world: World) {
    this.#world = world
  }

  get lines(): readonly string[] {
    return this.#lines
  }

  tell(who: number | string, what: string): void {
    this.#lines.push(`${(this.#world.nowMs / 1000).toFixed(3)} ${who}: ${what}`)
    if (this.#lines.length > 2 * MAX_LINES) this.#lines = this.#lines.slice(-MAX_LINES)
  }

  /** Ends the run: what follows a violation tells nothing. */
  violation(what: string): void {
    this.violations.push(`at ${(this.#world.nowMs / 1000).toFixed(3)} s: ${what}`)
    this.tell('CHECK', what)
    this.#world.halt('stopped at the first violation')
  }

  logger(brokerId: number, fields: object = {}): Logger {
    const log = (level: string) => (given: object, message: string) => {
      this.tell(brokerId, `${level} ${message} ${describe({ ...fields, ...given })}`)
    }
    return {
      error: log('error'),
      warn: log('warn'),
      info: log('info'),
      debug: () => {},
      child: (more) => this.logger(brokerId, { ...fields, ...more }),
    }
  }
}

function describe(fields: object): string {
  return JSON.stringify(fields, (_key, value: unknown) =>
    value instanceof Error ? (value.stack ?? value.message) : value,
  )
}
