/**
 * OpenSSH host keys: what we know of a host, read from a known_hosts file (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"),
 * and how a key is shown to people. Hashed names, patterns, ports and @revoked are understood; @cert-authority
 * lines are passed over, as certificates are not used here.
 */
import { createHash, createHmac } from 'node:crypto'

/** A public key as "ssh-ed25519 AAAA…". */
export type HostKey = string

export interface KnownKeys {
  readonly accepted: readonly HostKey[]
  readonly revoked: readonly HostKey[]
}

/** The keys that a known_hosts file names for a host. */
export function knownKeys(text: string, host: string, port: number): KnownKeys {
  const name = port === 22 ? host : `[${host}]:${port}`
  const accepted: HostKey[] = []
  const revoked: HostKey[] = []
  for (const line of text.split('\n')) {
    const words = line.trim().split(/\s+/)
    const marker = words[0]!.startsWith('@') ? words.shift() : undefined
    const [names, type, key] = words
    if (names === undefined || names.startsWith('#') || type === undefined || key === undefined) continue
    if (marker === '@cert-authority' || !matches(names, name)) continue
    ;(marker === '@revoked' ? revoked : accepted).push(`${type} ${key}`)
  }
  return { accepted, revoked }
}

/** "SHA256:…", as `ssh-keygen -l` and ssh's own question print it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

/** The line for known_hosts or an inventory's hostKeys of a raw public key, whose first field is its type. */
export function hostKeyOf(key: Buffer): HostKey {
  return `${key.toString('latin1', 4, 4 + key.readUInt32BE(0))} ${key.toString('base64')}`
}

/** Whether two keys are the same; comments after the key do not count. */
export function sameKey(a: HostKey, b: HostKey): boolean {
  return typeAndKey(a) === typeAndKey(b)
}

/** The signature algorithms in which a server can prove that it owns a key of this type. */
export function algorithmsOf(key: HostKey): readonly string[] {
  const type = key.trim().split(/\s+/)[0]!
  return type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type]
}

function typeAndKey(key: HostKey): string {
  return key.trim().split(/\s+/).slice(0, 2).join(' ')
}

function matches(names: string, name: string): boolean {
  if (names.startsWith('|1|')) return matchesHash(names, name)
  const patterns = names.split(',')
  const hit = (pattern: string): boolean => wildcard(pattern).test(name)
  if (patterns.some((pattern) => pattern.startsWith('!') && hit(pattern.slice(1)))) return false
  return patterns.some((pattern) => !pattern.startsWith('!') && hit(pattern))
}

/** "|1|salt|HMAC-SHA1 of the name under the salt", both in base64. */
function matchesHash(entry: string, name: string): boolean {
  const [, , salt, hash] = entry.split('|')
  if (salt === undefined || hash === undefined) return false
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash
}

function wildcard(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'i')
}
