/**
 * Reproducible .tar.gz files: the same entries give the same bytes. Entries are sorted, belong to root, and carry one
 * fixed time; the gzip header names no time, file or operating system.
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rename, stat } from 'node:fs/promises'
import path from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import tar from 'tar-stream'

export interface ArchiveEntry {
  /** Relative, with slashes. */
  readonly path: string
  readonly mode: 0o644 | 0o755
  readonly content: Buffer | { readonly file: string }
}

/** 1980-01-01, the earliest time that every archiver can hold. */
const FIXED_TIME = new Date(315_532_800_000)
const GZIP_SYSTEM_BYTE = 9
const GZIP_SYSTEM_UNKNOWN = 255

/** Writes the archive beside its place and renames it there, so that a file of that name is always whole. */
export async function writeArchive(file: string, entries: readonly ArchiveEntry[]): Promise<void> {
  const pack = tar.pack()
  const partial = `${file}.${process.pid}.partial`
  const written = pipeline(pack, createGzip({ level: 6 }), anonymousHeader(), createWriteStream(partial))
  const packed = (async () => {
    for (const entry of entries.toSorted((a, b) => (a.path < b.path ? -1 : 1))) await add(pack, entry)
    pack.finalize()
  })()
  await Promise.all([written, packed])
  await rename(partial, file)
}

/**
 * Unpacks the regular files of a .tar.gz, each to where `place` says (its folder is made), or not at all.
 * Other kinds of entries, which npm packages and etcd's releases do not have, are passed over.
 */
export async function unpackArchive(
  archive: string,
  place: (name: string) => string | undefined,
): Promise<void> {
  const extract = tar.extract()
  const unpacked = (async () => {
    for await (const entry of extract) {
      const file = entry.header.type === 'file' ? place(entry.header.name) : undefined
      if (file === undefined) {
        entry.resume()
        continue
      }
      await mkdir(path.dirname(file), { recursive: true })
      const mode = (entry.header.mode ?? 0) & 0o111 ? 0o755 : 0o644
      await pipeline(entry, createWriteStream(file, { mode }))
    }
  })()
  await Promise.all([pipeline(createReadStream(archive), createGunzip(), extract), unpacked])
}

async function add(pack: tar.Pack, { path: name, mode, content }: ArchiveEntry): Promise<void> {
  const header = { name, mode, mtime: FIXED_TIME, uid: 0, gid: 0, uname: 'root', gname: 'root' }
  if (Buffer.isBuffer(content)) {
    pack.entry(header, content)
    return
  }
  const { size } = await stat(content.file)
  await pipeline(createReadStream(content.file), pack.entry({ ...header, size }))
}

/** Replaces the operating system in the gzip header, which zlib fills in by itself. */
function anonymousHeader(): Transform {
  let position = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const index = GZIP_SYSTEM_BYTE - position
      if (index >= 0 && index < chunk.length) chunk[index] = GZIP_SYSTEM_UNKNOWN
      position += chunk.length
      done(null, chunk)
    },
  })
}
