/**
 * Runs on a node, with that node's Node.js, fed through stdin: reads the quorum's health and all of its keys through
 * etcd's JSON gateway (the quorum listens on the nodes' own addresses, which the control machine may not reach) and
 * prints them as one line of JSON. Arguments: the members' URLs. Imports nothing, as it travels alone.
 */

/** The line that is printed. */
export interface QuorumView {
  readonly members: readonly { readonly url: string; readonly healthy: boolean; readonly detail: string }[]
  /** Undefined when no member answers. */
  readonly tree?: {
    readonly revision: number
    readonly entries: readonly {
      readonly key: string
      readonly value: string
      readonly createRevision: number
      readonly modRevision: number
    }[]
  }
}

interface Range {
  readonly header: { readonly revision: string }
  readonly kvs?: readonly Record<'key' | 'value' | 'create_revision' | 'mod_revision', string>[]
}

const TIMEOUT_MS = 2_000

const urls = process.argv.slice(2)
const members = await Promise.all(urls.map(async (url) => ({ url, ...(await health(url)) })))
let tree: QuorumView['tree']
for (const { url } of members.filter(({ healthy }) => healthy))
  tree ??= await range(url).catch(() => undefined)
process.stdout.write(
  `${JSON.stringify({ members, ...(tree === undefined ? {} : { tree }) } satisfies QuorumView)}\n`,
)

/** A member is healthy when it can commit, so it also tells that there is a majority. */
async function health(url: string): Promise<{ healthy: boolean; detail: string }> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(TIMEOUT_MS) })
    const { health, reason } = (await response.json()) as { health?: string; reason?: string }
    return { healthy: health === 'true', detail: reason ?? '' }
  } catch (error) {
    const { message, cause } = error as Error
    return { healthy: false, detail: cause instanceof Error ? cause.message : message }
  }
}

/** All keys, from "\0" to the end. */
async function range(url: string): Promise<NonNullable<QuorumView['tree']>> {
  const all = Buffer.from('\0').toString('base64')
  const response = await fetch(`${url}/v3/kv/range`, {
    method: 'POST',
    body: JSON.stringify({ key: all, range_end: all }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  const { header, kvs = [] } = (await response.json()) as Range
  const text = (base64: string | undefined): string => Buffer.from(base64 ?? '', 'base64').toString()
  return {
    revision: Number(header.revision),
    entries: kvs.map((kv) => ({
      key: text(kv.key),
      value: text(kv.value),
      createRevision: Number(kv.create_revision),
      modRevision: Number(kv.mod_revision),
    })),
  }
}
