/** `partition.metadata`: the id of the topic whose records a partition directory holds, written before the first one. */
import { parsePartitionDirectory } from './file-names.ts'
import { type Files, replaceFile } from './files.ts'

const FILE = 'partition.metadata'
/** Stands for "no id", as in the protocol. */
export const ZERO_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

/** The file says something else than version 0 and a topic id; the message names it. */
export class CorruptPartitionMetadataError extends Error {
  override readonly name = 'CorruptPartitionMetadataError'
}

/** The topic id, 22 characters of base64url; undefined when the file is absent (releases before 2.8 wrote none). */
export function readPartitionMetadata(files: Files, directory: string): string | undefined {
  const path = `${directory}/${FILE}`
  const content = files.readFile(path)?.toString('utf8')
  if (content === undefined) return undefined
  const match = /^version: 0\ntopic_id: ([A-Za-z0-9_-]{22})\s*$/.exec(content)
  if (match === null) {
    throw new CorruptPartitionMetadataError(
      `${path} has ${JSON.stringify(content.slice(0, 100))}, expected "version: 0" and "topic_id: <22 characters>"`,
    )
  }
  return match[1]
}

export function writePartitionMetadata(files: Files, directory: string, topicId: string): Promise<void> {
  return replaceFile(files, `${directory}/${FILE}`, `version: 0\ntopic_id: ${topicId}`)
}

/** How many partitions with a readable topic id the log directories hold, and how many of these `knows` accepts. */
export function countPartitionsIn(
  files: Files,
  directories: readonly string[],
  knows: (topicId: string) => boolean,
): { found: number; known: number } {
  const ids = directories.flatMap((directory) =>
    files
      .list(directory)
      .filter(({ name, isDirectory }) => isDirectory && parsePartitionDirectory(name) !== undefined)
      .flatMap(({ name }) => topicIdIfReadable(files, `${directory}/${name}`) ?? []),
  )
  return { found: ids.length, known: ids.filter(knows).length }
}

function topicIdIfReadable(files: Files, directory: string): string | undefined {
  try {
    return readPartitionMetadata(files, directory)
  } catch (error) {
    if (error instanceof CorruptPartitionMetadataError) return undefined
    throw error
  }
}
