import { createHmac } from 'node:crypto'

import { algorithmsOf, fingerprint, hostKeyOf, knownKeys, sameKey } from '../../provision/known-hosts.ts'

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBzFwx/MZKSibNC2G6ihcFV3W6aBJTtJ6tq+/o/eCSby'
const OTHER = 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ=='

function hashed(name: string): string {
  const salt = Buffer.from('twenty bytes of salt')
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`
}

test.each([
  ['a plain name', `10.0.1.11 ${KEY} comment`, '10.0.1.11', 22],
  ['one of several names', `broker-1,10.0.1.11 ${KEY}`, '10.0.1.11', 22],
  ['a name with another port', `[10.0.1.11]:2222 ${KEY}`, '10.0.1.11', 2222],
  ['a pattern', `*.example.com ${KEY}`, 'b1.example.com', 22],
  ['a hashed name', `${hashed('10.0.1.11')} ${KEY}`, '10.0.1.11', 22],
  ['a hashed name with a port', `${hashed('[10.0.1.11]:2222')} ${KEY}`, '10.0.1.11', 2222],
])('%s is found', (_, line, host, port) => {
  expect(knownKeys(`# comment\n\n${line}\n`, host, port)).toEqual({ accepted: [KEY], revoked: [] })
})

test.each([
  ['another host', `10.0.1.12 ${KEY}`],
  ['the default port for another one', `[10.0.1.11]:2222 ${KEY}`],
  ['a negated pattern', `!10.0.1.11,10.0.1.* ${KEY}`],
  ['an authority’s key', `@cert-authority 10.0.1.11 ${KEY}`],
  ['a dot that is not any character', `10x0x1x11 ${KEY}`],
])('%s is not', (_, line) => {
  expect(knownKeys(line, '10.0.1.11', 22).accepted).toEqual([])
})

test('all keys of a host are found, and revoked ones are kept apart', () => {
  const text = `h ${KEY}\nh ${OTHER}\n@revoked h ${OTHER}\n`
  expect(knownKeys(text, 'h', 22)).toEqual({ accepted: [KEY, OTHER], revoked: [OTHER] })
})

test('a key is shown as ssh shows it, and compared without its comment', () => {
  const raw = Buffer.from(KEY.split(' ')[1]!, 'base64')
  expect(hostKeyOf(raw)).toBe(KEY)
  expect(fingerprint(raw)).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/)
  expect(sameKey(KEY, `${KEY} root@broker-1`)).toBe(true)
  expect(sameKey(KEY, OTHER)).toBe(false)
})

test('an RSA key is proved with SHA-2 only', () => {
  expect(algorithmsOf(OTHER)).toEqual(['rsa-sha2-512', 'rsa-sha2-256'])
  expect(algorithmsOf(KEY)).toEqual(['ssh-ed25519'])
})
