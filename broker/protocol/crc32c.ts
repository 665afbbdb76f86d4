/** CRC-32C (Castagnoli), the checksum of record batches and producer snapshots. */
import { crc32c as nativeCrc32c } from '@node-rs/crc32'

/** The checksum of `bytes` as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array): number {
  return nativeCrc32c(bytes)
}
