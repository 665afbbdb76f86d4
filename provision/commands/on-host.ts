/** Programs of ours that run on a host with the release's Node. */
import { asUser, command, type Command } from './shell.ts'

/** The TypeScript program on stdin; it must stand alone. */
export function runProgram(home: string, user: string, ...values: readonly string[]): Command {
  return asUser(user, command(`${home}/current/bin/node`, '--input-type=module-typescript', '-', ...values))
}

/** A record through each broker: the release's own probe. */
export function probe(
  home: string,
  user: string,
  bootstrap: readonly string[],
  brokers: number,
  timeoutSeconds: number,
): Command {
  return asUser(
    user,
    command(
      `${home}/current/bin/node`,
      `${home}/current/tools/probe.ts`,
      '--bootstrap',
      bootstrap.join(','),
      '--brokers',
      String(brokers),
      '--timeout',
      String(timeoutSeconds),
      '--json',
    ),
  )
}
