/**
 * Files that are no segment's, found when a partition is opened: of deletions, cleanings and replacements that a
 * crash interrupted. A replacement is completed once all its files were named .swap, and undone before that: while a
 * .cleaned file of the same or an earlier offset is there, the .swap ones count for nothing.
 */
import type { Logger } from '../runtime/logger.ts'
import { CLEANED, DELETED, offsetOfFile, SEGMENT_SUFFIXES, SWAP } from './file-names.ts'
import type { Files } from './files.ts'
import { Segment } from './segment.ts'

interface Leftover {
  readonly name: string
  readonly offset: number
}

/** `names`: all files of the directory. Returns whether some have gone or are named otherwise. */
export function finishInterrupted(
  files: Files,
  directory: string,
  names: readonly string[],
  logger: Logger,
): boolean {
  const cleaned = leftovers(names, CLEANED)
  const swaps = leftovers(names, SWAP)
  const firstCleaned = cleaned.reduce((lowest, { offset }) => Math.min(lowest, offset), Infinity)
  const isVoid = ({ offset }: Leftover): boolean => offset >= firstCleaned
  const unwanted = names.filter((name) => name.endsWith(DELETED) || name.endsWith('.tmp'))
  // The .cleaned ones last: should the power be lost again, what is left of the others must stay void.
  unwanted.push(...[...swaps.filter(isVoid), ...cleaned].map(({ name }) => name))
  for (const name of unwanted) files.remove(`${directory}/${name}`)
  const valid = swaps.filter((swap) => !isVoid(swap))
  if (valid.length > 0) completeSwap(files, directory, valid, logger)
  return unwanted.length > 0 || valid.length > 0
}

function leftovers(names: readonly string[], state: typeof CLEANED | typeof SWAP): Leftover[] {
  return names.flatMap((name) => {
    if (!name.endsWith(state)) return []
    const offset = offsetOfSegmentFile(name.slice(0, -state.length))
    return offset === undefined ? [] : [{ name, offset }]
  })
}

function offsetOfSegmentFile(name: string): number | undefined {
  for (const suffix of SEGMENT_SUFFIXES) {
    const offset = offsetOfFile(name, suffix)
    if (offset !== undefined) return offset
  }
  return undefined
}

/** Removes what the swapped segments replace, then gives them their names. */
function completeSwap(files: Files, directory: string, swaps: readonly Leftover[], logger: Logger): void {
  const bases = swaps.filter(({ name }) => name.endsWith(`.log${SWAP}`)).map(({ offset }) => offset)
  const start = Math.min(...bases)
  const end = bases.length === 0 ? -Infinity : endOffsetOf(files, directory, Math.max(...bases))
  for (const { name } of files.list(directory)) {
    const offset = offsetOfSegmentFile(name)
    if (offset !== undefined && offset >= start && offset < end) files.remove(`${directory}/${name}`)
  }
  for (const { name } of swaps) {
    files.rename(`${directory}/${name}`, `${directory}/${name.slice(0, -SWAP.length)}`)
  }
  logger.info({ directory, segments: bases, endOffset: end }, 'interrupted replacement of segments completed')
}

function endOffsetOf(files: Files, directory: string, baseOffset: number): number {
  const segment = Segment.open({ files, directory, baseOffset, createdMs: 0, state: SWAP })
  try {
    return Math.max(segment.endOffset, baseOffset + 1)
  } finally {
    segment.close()
  }
}
