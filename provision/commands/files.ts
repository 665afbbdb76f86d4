/** Files and folders of a host: look at one, put one in place as a whole. */
import { asRoot, script, type Command } from './shell.ts'

/** Who owns a file and what they may do: "kafka:kafka", "0640". */
export interface Access {
  readonly owner: string
  readonly mode: string
}

/** What `lookAt` found; undefined where nothing is. */
export interface Found extends Access {
  readonly kind: 'file' | 'folder' | 'link' | 'other'
  /** Of a file's content. */
  readonly sha256?: string
}

/** Prints "kind owner mode sha256" for what is at a path, "absent" for nothing. */
export function lookAt(path: string): Command {
  return asRoot(
    script(
      `if [ -L "$1" ]; then kind=link
elif [ -f "$1" ]; then kind=file
elif [ -d "$1" ]; then kind=folder
elif [ -e "$1" ]; then kind=other
else echo absent; exit 0; fi
sum=-; if [ "$kind" = file ]; then sum=$(sha256sum < "$1"); fi
echo "$kind $(stat -c '%U:%G 0%a' "$1") \${sum%% *}"`,
      path,
    ),
  )
}

export function parseLook(stdout: string): Found | undefined {
  const [kind, owner, mode, sha256] = stdout.trim().split(' ')
  if (kind === 'absent') return undefined
  if (owner === undefined || mode === undefined || sha256 === undefined) {
    throw new Error(`not a look at a file: ${stdout.slice(0, 200)}`)
  }
  const found = { kind: kind as Found['kind'], owner, mode: normalMode(mode) }
  return kind === 'file' ? { ...found, sha256 } : found
}

/** Four octal digits, as "0640". */
export function normalMode(mode: string): string {
  return Number.parseInt(mode, 8).toString(8).padStart(4, '0')
}

/** Replaces a file by stdin: readers see the old content or the new, also after a power cut. */
export function putFile(path: string, { owner, mode }: Access): Command {
  return asRoot(
    script(
      `new="$1.new"; umask 077
cat > "$new"; chown "$2" "$new"; chmod "$3" "$new"
sync "$new"; mv -fT "$new" "$1"; sync "$(dirname "$1")"`,
      path,
      owner,
      mode,
    ),
  )
}

export function removeFile(path: string): Command {
  return asRoot(script('rm -f "$1"', path))
}

/** Makes a folder (its parents must be there), or corrects its access; what lies in it is left alone. */
export function putFolder(path: string, { owner, mode }: Access): Command {
  return asRoot(script('[ -d "$1" ] || mkdir "$1"; chown "$2" "$1"; chmod "$3" "$1"', path, owner, mode))
}

/** Makes a file that is only appended to; never touches its content. */
export function putAppendedFile(path: string, { owner, mode }: Access): Command {
  return asRoot(script('[ -e "$1" ] || : > "$1"; chown "$2" "$1"; chmod "$3" "$1"', path, owner, mode))
}

export function readFile(path: string): Command {
  return asRoot(script('cat "$1"', path))
}
