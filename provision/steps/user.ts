/** The user kafka: its home, and sudo without a password where cluster.yaml wants that. */
import * as users from '../commands/users.ts'
import { HostError } from '../host.ts'
import { USER, USER_HOME } from '../plan.ts'
import { ensureFile, ensureNoFile } from './files.ts'
import type { Changes, Node } from './step.ts'

export async function ensureUser({ host }: Node, sudo: boolean): Promise<Changes> {
  const changes: string[] = []
  let user = users.parseUser((await host.run(users.lookAtUser(USER))).stdout)
  if (user === undefined) {
    await host.run(users.createUser(USER, USER_HOME))
    changes.push(`made the user ${USER}`)
    user = { home: USER_HOME, groups: [USER] }
  }
  if (user.home !== USER_HOME) {
    throw new HostError(
      `${host.name}: the user ${USER} is there, with the home ${user.home} instead of ${USER_HOME}: is another Kafka ` +
        `installed on this host?`,
    )
  }
  if (users.isInSudoGroup(user) !== sudo) {
    await host.run(sudo ? users.joinSudoGroup(USER) : users.leaveSudoGroup(USER))
    changes.push(sudo ? `added ${USER} to the group sudo` : `removed ${USER} from the group sudo`)
  }
  return [...changes, ...(await ensureSudoers({ host }, sudo))]
}

function ensureSudoers({ host }: Pick<Node, 'host'>, sudo: boolean): Promise<Changes> {
  const path = users.sudoersFile(USER)
  if (!sudo) return ensureNoFile(host, path)
  const wanted = { path, owner: 'root:root', mode: '0440', text: users.sudoersText(USER) }
  return ensureFile(host, wanted, users.putSudoers(path))
}
