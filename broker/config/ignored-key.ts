/** What to say of a key that is none of the broker's own. */
import { BROKER_KEYS } from './broker-keys.ts'
import { nearestKey } from './nearest-key.ts'
import { whyWithoutEffect } from './other-keys.ts'

/** A clause to be put behind the key: why it changes nothing, or which key is likely meant. */
export function whyIgnored(key: string): string {
  const reason = whyWithoutEffect(key)
  if (reason !== undefined) return `has no effect: ${reason}`
  const near = nearestKey(key, Object.keys(BROKER_KEYS))
  return near === undefined ? 'is not a key that this broker knows' : `is unknown; is ${near} meant?`
}
