/** Ids of clusters and topics. */
import { randomUUID } from 'node:crypto'

/** A random UUID as 22 characters of base64url, never one that begins with '-', which command lines take for an option. */
export function newUuid(): string {
  for (;;) {
    const text = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url')
    if (!text.startsWith('-')) return text
  }
}
