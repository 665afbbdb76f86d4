/**
 * Releases on a host, below one folder that root owns:
 *
 *   <home>/releases/<id>/   one unpacked release, complete as soon as it has this name
 *   <home>/current          link to the one in use; replaced by a rename
 */
import { asRoot, script, type Command } from './shell.ts'

/** Prints the id of the release in use, and whether the wanted one is there: "<id or -> present|absent". */
export function lookAtRelease(home: string, id: string): Command {
  return asRoot(
    script(
      `current=-; if [ -L "$1/current" ]; then current=$(basename "$(readlink "$1/current")"); fi
there=absent; if [ -d "$1/releases/$2" ]; then there=present; fi
echo "$current $there"`,
      home,
      id,
    ),
  )
}

export function parseRelease(stdout: string): { current: string | undefined; present: boolean } {
  const [current, there] = stdout.trim().split(' ')
  return { current: current === '-' ? undefined : current, present: there === 'present' }
}

/** Unpacks the archive on stdin, if it arrives whole and so does each file in it. */
export function unpackRelease(home: string, id: string, archiveSha256: string): Command {
  return asRoot(
    script(
      `umask 022; releases="$1/releases"; mkdir -p "$releases"
archive="$releases/.incoming.tar.gz"; partial="$releases/.partial"
trap 'rm -rf "$archive" "$partial"' EXIT
rm -rf "$partial"; cat > "$archive"
echo "$3  $archive" | sha256sum --check --quiet >&2
mkdir "$partial"
tar -xzf "$archive" -C "$partial" --no-same-owner
cd "$partial"; sha256sum --check --quiet SHA256SUMS >&2; cd /
sync -f "$partial"
mv -T "$partial" "$releases/$2"`,
      home,
      id,
      archiveSha256,
    ),
  )
}

/** Makes a release the one in use. Processes that run go on with theirs until they are restarted. */
export function switchRelease(home: string, id: string): Command {
  return asRoot(
    script(
      `ln -sfn "releases/$2" "$1/current.new"; mv -fT "$1/current.new" "$1/current"; sync -f "$1"`,
      home,
      id,
    ),
  )
}

/** Removes releases that are neither in use nor the one before, and prints how many. */
export function pruneReleases(home: string, keep: readonly string[]): Command {
  return asRoot(
    script(
      `home=$1; shift; removed=0
for release in "$home"/releases/*; do
  [ -d "$release" ] || continue
  name=$(basename "$release"); wanted=no
  for keep in "$@"; do if [ "$name" = "$keep" ]; then wanted=yes; fi; done
  if [ "$wanted" = no ]; then rm -rf "$release"; removed=$((removed + 1)); fi
done
echo "$removed"`,
      home,
      ...keep,
    ),
  )
}
