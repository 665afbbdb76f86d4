/**
 * Follows the tree over one member at a time, and changes the member when it goes quiet: a frozen member keeps its
 * connections open and says nothing. Silence is told from quiet by a *beat*: a key that is written, through any
 * member, after QUIET_MS without an event. Revisions that were committed and do not show up within BEHIND_MS condemn
 * the watch; the next one, on another member, begins with the first revision that was not seen.
 */
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { TreeUpdate } from '../store.ts'
import type { EtcdGateway } from './etcd-gateway.ts'
import type { EtcdTree, Header, WatchEvent } from './etcd-tree.ts'

const CHECK_MS = 200
const QUIET_MS = 1_000
const BEHIND_MS = 800
const CREATED_WITHIN_MS = 1_000
const RETRY_MS = 100

interface WatchReply {
  readonly header?: Header
  readonly created?: boolean
  readonly canceled?: boolean
  readonly cancel_reason?: string
  readonly compact_revision?: string
  readonly events?: readonly WatchEvent[]
}

export interface EtcdWatchOptions {
  readonly gateway: EtcdGateway
  readonly tree: EtcdTree
  readonly clock: Clock
  readonly logger: Logger
  readonly closing: AbortSignal
  /** Reads the whole tree; called again when the history that was not seen has been compacted. */
  readonly read: () => Promise<TreeUpdate>
  /** Writes a key that the watch sees. */
  readonly beat: () => Promise<void>
  readonly listener: (update: TreeUpdate) => void
}

class Compacted extends Error {}

export class EtcdWatch {
  readonly #options: EtcdWatchOptions
  /** The last revision that the listener has seen. */
  #revision = 0
  #memberAt: number
  #stream = new AbortController()
  #heardMs = 0
  #openedMs = 0
  #created = false
  /** The highest revision known to be committed, and since when it has been missing here. */
  #expected = 0
  #missingSinceMs: number | undefined
  #beating = false

  constructor(options: EtcdWatchOptions, memberAt: number) {
    this.#options = options
    this.#memberAt = memberAt % options.gateway.members.length
  }

  /** The member that carries the watch: "host:port". */
  get member(): string {
    return this.#options.gateway.members[this.#memberAt]!
  }

  /** Delivers the tree, and from then on what changes. */
  start(tree: TreeUpdate): void {
    this.#deliver(tree)
    void this.#follow()
    this.#checkLater()
  }

  /** A transaction was committed at this revision: it must show up. */
  expect(revision: number): void {
    if (revision <= this.#expected) return
    this.#expected = revision
    if (revision > this.#revision) this.#missingSinceMs ??= this.#options.clock.monotonicMs()
  }

  stop(): void {
    this.#stream.abort()
  }

  async #follow(): Promise<void> {
    const { clock, closing, logger, read } = this.#options
    while (!closing.aborted) {
      try {
        await this.#watchOnce()
      } catch (error) {
        if (closing.aborted) return
        if (error instanceof Compacted) {
          logger.warn(
            { revision: this.#revision },
            'the quorum compacted changes that were not seen yet, reading all again',
          )
          await read().then(
            (tree) => this.#deliver(tree),
            (reason: unknown) => logger.warn({ error: reason }, 'cannot read the metadata yet'),
          )
        } else {
          logger.warn(
            { error, member: this.member, revision: this.#revision },
            'following the metadata on another member',
          )
          this.#memberAt = (this.#memberAt + 1) % this.#options.gateway.members.length
        }
      }
      await clock.sleep(RETRY_MS, closing).catch(() => {})
    }
  }

  /** Ends with an error: a watch is never over. */
  async #watchOnce(): Promise<never> {
    const { gateway, tree, clock, closing } = this.#options
    this.#stream = new AbortController()
    this.#created = false
    this.#openedMs = this.#heardMs = clock.monotonicMs()
    if (this.#missingSinceMs !== undefined) this.#missingSinceMs = this.#openedMs
    const create = { create_request: { ...tree.range(), start_revision: String(this.#revision + 1) } }
    const signal = AbortSignal.any([this.#stream.signal, closing])
    const { member } = this
    await gateway.stream(member, '/v3/watch', create, (reply) => this.#receive(reply as WatchReply), signal)
    throw new Error(`${member} ended the watch`)
  }

  #receive(reply: WatchReply): void {
    if (this.#stream.signal.aborted) return
    this.#heardMs = this.#options.clock.monotonicMs()
    if (reply.canceled) {
      if (reply.compact_revision !== undefined && Number(reply.compact_revision) > 0) throw new Compacted()
      throw new Error(`the watch was canceled: ${reply.cancel_reason ?? 'no reason given'}`)
    }
    if (reply.created) this.#created = true
    const fresh = (reply.events ?? []).filter(({ kv }) => Number(kv.mod_revision) > this.#revision)
    if (fresh.length === 0) return
    const changes = fresh.flatMap((event) => this.#options.tree.change(event) ?? [])
    this.#deliver({ revision: Number(fresh.at(-1)!.kv.mod_revision), reset: false, changes })
  }

  #deliver(update: TreeUpdate): void {
    this.#revision = update.revision
    if (this.#revision >= this.#expected) this.#missingSinceMs = undefined
    this.#options.listener(update)
  }

  #checkLater(): void {
    const { clock, closing } = this.#options
    clock.after(CHECK_MS, () => {
      if (closing.aborted) return
      this.#check(clock.monotonicMs())
      this.#checkLater()
    })
  }

  #check(now: number): void {
    if (!this.#created) {
      if (now - this.#openedMs > CREATED_WITHIN_MS) this.#abandon('it did not begin')
    } else if (this.#missingSinceMs !== undefined && now - this.#missingSinceMs > BEHIND_MS) {
      this.#abandon(`it has not shown revision ${this.#expected}, committed ${BEHIND_MS} ms ago`)
    } else if (now - this.#heardMs > QUIET_MS && !this.#beating) {
      this.#beat()
    }
  }

  #beat(): void {
    this.#beating = true
    this.#options
      .beat()
      // The quorum is away: that says nothing about the watch.
      .catch(() => {})
      .finally(() => {
        this.#beating = false
      })
  }

  #abandon(reason: string): void {
    if (!this.#stream.signal.aborted)
      this.#stream.abort(new Error(`the watch on ${this.member} is given up: ${reason}`))
  }
}
