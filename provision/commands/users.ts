/** The user that the services run as, and sudo without a password for it. */
import { asRoot, command, script, type Command } from './shell.ts'

const SUDO_GROUP = 'sudo'

export interface FoundUser {
  readonly home: string
  readonly groups: readonly string[]
}

/** Prints the user's home and groups, "absent" when there is no such user. */
export function lookAtUser(user: string): Command {
  return script(
    `if entry=$(getent passwd "$1"); then echo "$entry" | cut -d: -f6; id -nG "$1"; else echo absent; fi`,
    user,
  )
}

export function parseUser(stdout: string): FoundUser | undefined {
  const [home, groups] = stdout.trim().split('\n')
  if (home === 'absent') return undefined
  if (home === undefined || groups === undefined) throw new Error(`not a user: ${stdout.slice(0, 200)}`)
  return { home, groups: groups.split(' ') }
}

/** No password: nobody logs in as this user but through sudo, su by root, or an SSH key put there by hand. */
export function createUser(user: string, home: string): Command {
  return asRoot(command('useradd', '--create-home', '--home-dir', home, '--shell', '/bin/bash', user))
}

export function joinSudoGroup(user: string): Command {
  return asRoot(command('usermod', '--append', '--groups', SUDO_GROUP, user))
}

export function leaveSudoGroup(user: string): Command {
  return asRoot(command('gpasswd', '--delete', user, SUDO_GROUP))
}

export function isInSudoGroup(user: FoundUser): boolean {
  return user.groups.includes(SUDO_GROUP)
}

export function sudoersFile(user: string): string {
  return `/etc/sudoers.d/90-${user}`
}

export function sudoersText(user: string): string {
  return `# Written by brokerkit; kafkaUser.sudo: false in cluster.yaml takes it away.\n${user} ALL=(ALL) NOPASSWD: ALL\n`
}

/** Installs stdin as a sudoers file, if visudo finds it valid: a broken one locks everybody out of sudo. */
export function putSudoers(path: string): Command {
  return asRoot(
    script(
      `new=$(mktemp /run/brokerkit-sudoers.XXXXXX); trap 'rm -f "$new"' EXIT
cat > "$new"; chmod 0440 "$new"
visudo --check --quiet --file="$new"
install -o root -g root -m 0440 "$new" "$1"`,
      path,
    ),
  )
}
