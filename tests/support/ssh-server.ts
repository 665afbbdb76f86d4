/** An SSH server in this process, on a free port of the loopback: a command is answered by a function of the test. */
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

import ssh2 from 'ssh2'
import type { Connection, ServerChannel } from 'ssh2'

export interface SshServerOptions {
  /** Answers a command; nothing is sent that it does not send. */
  readonly onCommand: (command: string, channel: ServerChannel, connection: Connection) => void
  readonly accepts?: boolean
}

export class SshServer {
  readonly port: number
  /** As known_hosts and an inventory name it. */
  readonly hostKey: string
  readonly #server: InstanceType<typeof ssh2.Server>
  readonly #connections: Set<Connection>

  private constructor(
    server: InstanceType<typeof ssh2.Server>,
    connections: Set<Connection>,
    hostKey: string,
  ) {
    this.#server = server
    this.#connections = connections
    this.port = (server.address() as AddressInfo).port
    this.hostKey = hostKey
  }

  static async start({ onCommand, accepts = true }: SshServerOptions): Promise<SshServer> {
    const { privateKey, hostKey } = newKey()
    const connections = new Set<Connection>()
    const server = new ssh2.Server({ hostKeys: [privateKey] }, (connection) => {
      connections.add(connection)
      connection.on('authentication', (request) => {
        if (accepts && request.method === 'publickey') request.accept()
        else request.reject(['publickey'])
      })
      connection.on('session', (accept) => {
        accept().on('exec', (acceptExec, _reject, { command }) =>
          onCommand(command, acceptExec(), connection),
        )
      })
      connection.on('error', () => {})
      connection.on('close', () => connections.delete(connection))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new SshServer(server, connections, hostKey)
  }

  stop(): void {
    for (const connection of this.#connections) connection.end()
    this.#server.close()
  }
}

/** A key of its own, as a PEM for the server or a client, and as a public key's line. */
export function newKey(): { privateKey: string; hostKey: string } {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  const parsed = ssh2.utils.parseKey(privateKey)
  if (parsed instanceof Error) throw parsed
  return { privateKey, hostKey: `${parsed.type} ${parsed.getPublicSSH().toString('base64')}` }
}
