/**
 * Commands for a host's shell. A command is a list of words; `commandLine` is the one place that turns words into
 * shell text. A script is fixed text that gets its values as positional parameters ("$1"), never pasted into it.
 */

export interface Command {
  readonly argv: readonly string[]
  /** Run by root through `sudo -n`, which never asks for a password. */
  readonly asRoot: boolean
}

const SAFE_WORD = /^[A-Za-z0-9_@%+=:,./-]+$/

/** One word for a POSIX shell: the shell gives back exactly `word`. Throws for NUL, which no argument can hold. */
export function quote(word: string): string {
  if (word.includes('\0')) throw new Error('a NUL byte cannot be passed to a command')
  if (SAFE_WORD.test(word)) return word
  return `'${word.replaceAll("'", String.raw`'\''`)}'`
}

export function command(...argv: string[]): Command {
  return { argv, asRoot: false }
}

/** `text` run by a POSIX shell that stops at the first failure and at unset variables; `values` are $1, $2, … */
export function script(text: string, ...values: string[]): Command {
  return command('sh', '-euc', text, 'sh', ...values)
}

export function asRoot(wanted: Command): Command {
  return { ...wanted, asRoot: true }
}

/** The same command run as another user, with that user's home as the working directory. */
export function asUser(user: string, wanted: Command): Command {
  return asRoot(command('runuser', '--user', user, '--', ...wanted.argv))
}

/** The shell text that runs a command. */
export function commandLine({ argv, asRoot }: Command): string {
  const words = asRoot ? ['sudo', '-n', '--', ...argv] : argv
  return words.map(quote).join(' ')
}
