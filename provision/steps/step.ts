/** A step brings one thing of one node to what the plan says: it looks, and changes only what differs. */
import type { Host } from '../host.ts'
import type { InventoryNode } from '../inventory.ts'

export interface Node {
  readonly inventory: InventoryNode
  readonly host: Host
}

/** What a step has changed, in words; nothing when all was as it should be. */
export type Changes = readonly string[]

/** A change that was made on a node, for the report. */
export interface Change {
  readonly node: number
  readonly step: string
  readonly what: string
}
