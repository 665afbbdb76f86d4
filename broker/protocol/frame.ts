/** A frame on the wire: the size of what follows as int32, then the header and the body of one request or response. */
import { ByteWriter } from './writer.ts'

/** Bytes of the size in front of every frame. */
export const FRAME_PREFIX_BYTES = 4

/** A writer that has room for the size in front; write the header and the body, then call `finishFrame`. */
export function startFrame(): ByteWriter {
  const writer = new ByteWriter()
  writer.int32(0)
  return writer
}

/** The whole frame, its size filled in. The writer must not be used afterwards. */
export function finishFrame(writer: ByteWriter): Buffer[] {
  const sizeBytes = writer.size - FRAME_PREFIX_BYTES
  const parts = writer.finish()
  parts[0]!.writeInt32BE(sizeBytes, 0)
  return parts
}
