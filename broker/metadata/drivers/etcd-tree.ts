/**
 * The tree in etcd's flat key space: each key below a chroot, as ZooKeeper's connect strings have it. The store's
 * clients keep keys of their own under CLIENTS, which the tree's readers never see.
 */
import type { Change, Condition, Entry, TreeChange } from '../store.ts'

const CLIENTS = '/store_clients/'

/** mvccpb.KeyValue. */
export interface KeyValue {
  readonly key: string
  readonly value?: string
  readonly create_revision?: string
  readonly mod_revision: string
}

export interface Header {
  readonly revision: string
}

export interface RangeReply {
  readonly header: Header
  readonly kvs?: readonly KeyValue[]
  readonly more?: boolean
}

export interface WatchEvent {
  readonly type?: 'DELETE'
  readonly kv: KeyValue
}

export class EtcdTree {
  readonly #chroot: string

  /** "" or "/name", "/name/name". */
  constructor(chroot: string) {
    this.#chroot = chroot
  }

  clientKey(client: string, name: string): string {
    return this.#chroot + CLIENTS + client + '/' + name
  }

  /** Everything below the chroot, from the key after `after` on. */
  range(after?: string): { key: string; range_end: string } {
    return {
      key: after === undefined ? encode(`${this.#chroot}/`) : encode(`${this.#chroot}${after}\0`),
      range_end: encode(endOfPrefix(`${this.#chroot}/`)),
    }
  }

  /** Undefined for a key of a store's client. */
  entry(kv: KeyValue): Entry | undefined {
    const key = this.pathOf(kv)
    if (key.startsWith(CLIENTS)) return undefined
    return {
      key,
      value: decode(kv.value ?? ''),
      createRevision: Number(kv.create_revision),
      modRevision: Number(kv.mod_revision),
    }
  }

  /** The path of any key, a client's included: after it begins the next page of a range. */
  pathOf(kv: KeyValue): string {
    return decode(kv.key).slice(this.#chroot.length)
  }

  change({ type, kv }: WatchEvent): TreeChange | undefined {
    const key = this.pathOf(kv)
    if (key.startsWith(CLIENTS)) return undefined
    return { key, entry: type === 'DELETE' ? undefined : this.entry(kv) }
  }

  compare({ key, modRevision }: Condition): object {
    return compareRevision(this.#chroot + key, modRevision)
  }

  operation({ key, value, lease, prefix }: Change): object {
    const full = this.#chroot + key
    if (value !== null) return put(full, value, lease?.id)
    const end = prefix ? { range_end: encode(endOfPrefix(full)) } : {}
    return { request_delete_range: { key: encode(full), ...end } }
  }
}

export function compareRevision(key: string, modRevision: number): object {
  return { key: encode(key), target: 'MOD', result: 'EQUAL', mod_revision: String(modRevision) }
}

export function compareValue(key: string, value: string): object {
  return { key: encode(key), target: 'VALUE', result: 'EQUAL', value: encode(value) }
}

export function put(key: string, value: string, lease?: string): object {
  return {
    request_put: { key: encode(key), value: encode(value), ...(lease === undefined ? {} : { lease }) },
  }
}

export function get(key: string): object {
  return { request_range: { key: encode(key) } }
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64')
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString()
}

/** The first key after all that start with `prefix`, which ends in an ASCII character. */
function endOfPrefix(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCodePoint(prefix.codePointAt(prefix.length - 1)! + 1)
}
