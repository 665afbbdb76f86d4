import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { asRoot, command } from '../../provision/commands/shell.ts'
import { connect, type Credentials, type Host } from '../../provision/host.ts'
import type { KnownKeys } from '../../provision/known-hosts.ts'
import { SshServer, newKey, type SshServerOptions } from '../support/ssh-server.ts'

let folder: string
let server: SshServer | undefined
let host: Host | undefined

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'brokerkit-ssh-'))
  writeFileSync(path.join(folder, 'key'), newKey().privateKey)
})

afterEach(() => {
  host?.close()
  server?.stop()
  host = undefined
  server = undefined
  rmSync(folder, { recursive: true, force: true })
})

/** Connects to a server that answers commands so; its own key is the known one unless told otherwise. */
async function reach(
  onCommand: SshServerOptions['onCommand'],
  o: { known?: Partial<KnownKeys>; credentials?: Credentials; accepts?: boolean } = {},
): Promise<Host> {
  server = await SshServer.start({ onCommand, accepts: o.accepts ?? true })
  const known = { accepted: [server.hostKey], revoked: [], ...o.known }
  const address = { name: 'node 1 (b-1)', host: '127.0.0.1', port: server.port, user: 'ubuntu' }
  host = await connect(address, o.credentials ?? { identityFile: path.join(folder, 'key') }, known)
  return host
}

const silent: SshServerOptions['onCommand'] = () => {}

/** Ends each command with this output and exit code. */
function answering(stdout: string, code: number, stderr = ''): SshServerOptions['onCommand'] {
  return (_command, channel) => {
    channel.write(stdout)
    channel.stderr.write(stderr)
    channel.exit(code)
    channel.end()
  }
}

test('a command is sent as quoted text and gives its output', async () => {
  const seen: string[] = []
  await reach((text, channel, connection) => {
    seen.push(text)
    answering('hello\n', 0)(text, channel, connection)
  })
  expect(await host!.run(asRoot(command('echo', '$(reboot)')))).toEqual({
    stdout: 'hello\n',
    stderr: '',
    exitCode: 0,
  })
  expect(seen).toEqual([`sudo -n -- echo '$(reboot)'`])
})

test('many short commands at once each get their own answer', async () => {
  await reach((text, channel, connection) => answering(text, 0)(text, channel, connection))
  const outputs = await Promise.all(
    Array.from({ length: 9 }, (_, i) => host!.run(command('echo', String(i)))),
  )
  expect(outputs.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 9 }, (_, i) => `echo ${i}`))
})

test('what is sent arrives whole, with its progress', async () => {
  const content = Buffer.alloc(3_000_000, 'brokerkit ')
  writeFileSync(path.join(folder, 'archive'), content)
  await reach((_text, channel) => {
    const chunks: Buffer[] = []
    channel.on('data', (chunk: Buffer) => chunks.push(chunk))
    channel.on('end', () => {
      channel.write(String(Buffer.concat(chunks).equals(content)))
      channel.exit(0)
      channel.end()
    })
  })
  const progress: number[] = []
  const output = await host!.run(command('receive'), {
    stdin: { file: path.join(folder, 'archive') },
    onProgress: (sentBytes) => progress.push(sentBytes),
  })
  expect(output.stdout).toBe('true')
  expect(progress.at(-1)).toBe(content.length)
})

test('a command that fails says how, at which host, and its last words', async () => {
  await reach(answering('', 3, 'no space left on device\n'))
  await expect(host!.run(command('tar', '-x'))).rejects.toThrow(
    'node 1 (b-1): "tar -x" failed with exit code 3:\n  no space left on device',
  )
  expect((await host!.attempt(command('tar', '-x'))).exitCode).toBe(3)
})

test('a sudo that wants a password is told from a command that fails', async () => {
  await reach(answering('', 1, 'sudo: a password is required\n'))
  await expect(host!.run(asRoot(command('id')))).rejects.toThrow(
    /node 1 \(b-1\): sudo asks ubuntu for a password. Give this user passwordless sudo/,
  )
})

test('the same of a held command, which is the first to need sudo', async () => {
  await reach(answering('', 1, 'sudo: a password is required\n'))
  await expect(host!.hold(asRoot(command('lock')), () => false)).rejects.toThrow(
    /sudo asks ubuntu for a password/,
  )
})

test('a command that does not end is given up in time', async () => {
  await reach(silent)
  await expect(host!.run(command('sleep', '999'), { timeoutMs: 50 })).rejects.toThrow(
    'node 1 (b-1): "sleep 999" took too long and was given up',
  )
})

test('a connection that is lost while a command runs is said, not taken for success', async () => {
  await reach((_text, _channel, connection) => connection.end())
  await expect(host!.run(command('reboot'))).rejects.toThrow(
    /"reboot" ended without a result: the connection was lost/,
  )
  await expect(host!.run(command('id'))).rejects.toThrow(/node 1/)
})

test('a held command lives until it is released, and releasing waits for its end', async () => {
  const events: string[] = []
  await reach((text, channel) => {
    if (text !== 'lock') return
    channel.write('locked\n')
    channel.on('end', () => {
      events.push('stdin ended')
      channel.exit(0)
      channel.end()
    })
    channel.resume()
  })
  const release = await host!.hold(command('lock'), (stdout) => stdout.includes('locked'))
  await host!.attempt(command('other'), { timeoutMs: 20 }).catch(() => events.push('still held'))
  await release()
  expect(events).toEqual(['still held', 'stdin ended'])
})

test('a held command that ends before it is ready has failed', async () => {
  await reach(answering('deploy by ann since noon\n', 75))
  await expect(host!.hold(command('lock'), () => false)).rejects.toMatchObject({
    output: { exitCode: 75, stdout: 'deploy by ann since noon\n' },
  })
})

describe('host keys', () => {
  test('an unknown one is refused, with its fingerprint and how to accept it', async () => {
    const refused = reach(silent, { known: { accepted: [] } })
    await expect(refused).rejects.toThrow(
      /the host key of 127.0.0.1 is not known. It offered ssh-rsa SHA256:/,
    )
    await expect(refused).rejects.toThrow(`[127.0.0.1]:${server!.port} ${server!.hostKey}`)
  })

  test('another than the known one is refused as possibly somebody in between', async () => {
    await expect(reach(silent, { known: { accepted: [newKey().hostKey] } })).rejects.toThrow(
      /which is not the one known for it. Somebody may be in between/,
    )
  })

  test('a revoked one is refused', async () => {
    const { hostKey } = newKey()
    server = await SshServer.start({ onCommand: silent })
    const known = { accepted: [hostKey, server.hostKey], revoked: [server.hostKey] }
    const address = { name: 'node 1', host: '127.0.0.1', port: server.port, user: 'ubuntu' }
    await expect(connect(address, { identityFile: path.join(folder, 'key') }, known)).rejects.toThrow(
      /marks as revoked/,
    )
  })

  test('a host without a key of the known type is refused', async () => {
    const known = {
      accepted: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBzFwx/MZKSibNC2G6ihcFV3W6aBJTtJ6tq+/o/eCSby'],
    }
    await expect(reach(silent, { known })).rejects.toThrow(/has no key of the type known for it/)
  })
})

describe('logging in', () => {
  test('a key that the host does not accept', async () => {
    await expect(reach(silent, { accepts: false })).rejects.toThrow(
      /the host did not accept our key for the user ubuntu: is it in ~\/.ssh\/authorized_keys there\?/,
    )
  })

  test.each<[string, Credentials, RegExp]>([
    ['no key at all', {}, /no SSH key to log in with: name ssh.identityFile/],
    [
      'a key file that is not there',
      { identityFile: '/no/such/key' },
      /the SSH key \/no\/such\/key cannot be read: ENOENT/,
    ],
  ])('%s', async (_, credentials, message) => {
    await expect(reach(silent, { credentials })).rejects.toThrow(message)
  })

  test('a file that is no key', async () => {
    writeFileSync(path.join(folder, 'text'), 'hello')
    const credentials = { identityFile: path.join(folder, 'text') }
    await expect(reach(silent, { credentials })).rejects.toThrow(
      /text cannot be used: Unsupported key format/,
    )
  })
})

test('a port on which nobody listens', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as AddressInfo
  await new Promise((resolve) => taken.close(resolve))
  const address = { name: 'node 1', host: '127.0.0.1', port, user: 'ubuntu' }
  await expect(
    connect(address, { identityFile: path.join(folder, 'key') }, { accepted: ['ssh-rsa AAAA'], revoked: [] }),
  ).rejects.toThrow(`node 1: ubuntu@127.0.0.1:${port} refused the connection: is sshd running there`)
})

test('a port on which something else than SSH answers', async () => {
  const other = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  const address = { name: 'node 1', host: '127.0.0.1', port, user: 'ubuntu' }
  await expect(
    connect(address, { identityFile: path.join(folder, 'key') }, { accepted: ['ssh-rsa AAAA'], revoked: [] }),
  ).rejects.toThrow(/^node 1/)
  other.close()
})
