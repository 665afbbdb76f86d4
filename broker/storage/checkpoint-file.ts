/**
 * Kafka's checkpoint files: text, a line with version 0, a line with the number of entries, then one entry a line,
 * its fields separated by spaces. Replaced as a whole.
 *
 *   recovery-point-offset-checkpoint, log-start-offset-checkpoint, replication-offset-checkpoint,
 *   cleaner-offset-checkpoint: topic partition offset
 *   leader-epoch-checkpoint: epoch startOffset
 */
import type { Files } from './files.ts'
import { replaceFile } from './files.ts'

const VERSION = 0

/** The file does not follow the format; the message names it. */
export class CorruptCheckpointError extends Error {
  override readonly name = 'CorruptCheckpointError'
}

/** The fields of each entry; none when the file is absent. Throws CorruptCheckpointError. */
export function readCheckpoint(files: Files, path: string, fieldCount: number): string[][] {
  const content = files.readFile(path)
  if (content === undefined) return []
  const lines = content.toString('utf8').split('\n')
  if (lines.at(-1) === '') lines.pop()
  if (lines[0] !== String(VERSION)) {
    throw new CorruptCheckpointError(`${path}:1: version "${lines[0] ?? ''}"; ${VERSION} is the one known`)
  }
  const entries = lines.slice(2).map((line, index) => fieldsOf(line, fieldCount, `${path}:${index + 3}`))
  if (lines[1] !== String(entries.length)) {
    throw new CorruptCheckpointError(
      `${path}:2: announces "${lines[1] ?? ''}" entries, ${entries.length} follow`,
    )
  }
  return entries
}

function fieldsOf(line: string, fieldCount: number, place: string): string[] {
  const fields = line.trim().split(/\s+/)
  if (fields.length !== fieldCount) {
    throw new CorruptCheckpointError(
      `${place}: "${line}" has ${fields.length} fields, expected ${fieldCount}`,
    )
  }
  return fields
}

export function writeCheckpoint(
  files: Files,
  path: string,
  entries: readonly (readonly (string | number)[])[],
): Promise<void> {
  const lines = [VERSION, entries.length, ...entries.map((fields) => fields.join(' '))]
  return replaceFile(files, path, `${lines.join('\n')}\n`)
}

/** A whole number in a checkpoint. `place` names the file. Throws CorruptCheckpointError. */
export function checkpointNumber(text: string, place: string): number {
  if (!/^-?\d+$/.test(text)) throw new CorruptCheckpointError(`${place}: "${text}" is not a number`)
  return Number(text)
}
