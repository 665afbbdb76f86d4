/** meta.properties of a log directory: the cluster.id line commented out, the file as it was kept beside it. */
import { asRoot, script, type Command } from './shell.ts'

/** Prints the backup's path. Only this line changes; owner and mode stay; no other file is touched. */
export function commentClusterIdOut(directory: string, timestamp: string): Command {
  return asRoot(
    script(
      `file="$1/meta.properties"; backup="$file.$2.bak"; new="$file.new"
cp -p --no-clobber "$file" "$backup"; sync "$backup"
sed 's/^[[:space:]]*cluster\\.id[[:space:]]*[=:].*$/#&/' "$file" > "$new"
chown --reference="$file" "$new"; chmod --reference="$file" "$new"
sync "$new"; mv -fT "$new" "$file"; sync "$1"
echo "$backup"`,
      directory,
      timestamp,
    ),
  )
}
