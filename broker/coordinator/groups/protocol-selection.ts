/** How the members of a group agree on a protocol (an assignor): one that all know, by majority of first choices. */
import type { Protocol } from './messages.ts'

/** Names of the protocols that every member supports; empty when there is no member. */
export function commonProtocols(members: Iterable<readonly Protocol[]>): Set<string> {
  let common: string[] | undefined
  for (const protocols of members) {
    const names = new Set(protocols.map(({ name }) => name))
    common = common === undefined ? [...names] : common.filter((name) => names.has(name))
  }
  return new Set(common)
}

/**
 * Each member votes for the first of its protocols that all support. Among equals the one that was voted for first
 * wins, so that the outcome does not depend on chance. The members must have a protocol in common.
 */
export function selectProtocol(members: readonly (readonly Protocol[])[]): string {
  const candidates = commonProtocols(members)
  const votes = new Map<string, number>()
  for (const protocols of members) {
    const vote = protocols.find(({ name }) => candidates.has(name))
    if (vote !== undefined) votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1)
  }
  const most = Math.max(...votes.values())
  const winner = [...votes].find(([, count]) => count === most)
  if (winner === undefined) throw new RangeError('the members of the group have no protocol in common')
  return winner[0]
}

/** Whether a member that joins again says the same as before, in the same order of preference. */
export function sameProtocols(left: readonly Protocol[], right: readonly Protocol[]): boolean {
  return (
    left.length === right.length &&
    left.every(({ name, metadata }, index) => {
      const other = right[index]!
      return name === other.name && metadata.equals(other.metadata)
    })
  )
}
