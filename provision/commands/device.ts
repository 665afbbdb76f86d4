/** The block device that holds the logs: a file system on it, once, and its mount at every boot. */
import { asRoot, script, type Command } from './shell.ts'

export interface FoundDevice {
  /** The real device behind the name, undefined when there is none. */
  readonly device: string | undefined
  /** "ext4", …; undefined when nothing is on it. */
  readonly fileSystem: string | undefined
  /** Whether it is mounted on the wanted folder. */
  readonly mounted: boolean
  /** Whether /etc/fstab mounts something there at boot. */
  readonly inFstab: boolean
}

/** Prints "device file-system mounted fstab"; blkid's 2 means that it knows of nothing on the device. */
export function lookAtDevice(device: string, folder: string): Command {
  return asRoot(
    script(
      `if ! real=$(readlink -e "$1") || [ ! -b "$real" ]; then echo "- - no no"; exit 0; fi
type=$(blkid -p -s TYPE -o value "$real") || { code=$?; [ $code = 2 ] || exit $code; }
if [ -z "$type" ] && [ -n "$(lsblk -nro NAME "$real" | sed 1d)" ]; then type=partitions; fi
mounted=no; if [ "$(findmnt -nro SOURCE --mountpoint "$2" || true)" = "$real" ]; then mounted=yes; fi
fstab=no; if findmnt --fstab -nro TARGET --mountpoint "$2" > /dev/null; then fstab=yes; fi
echo "$real \${type:--} $mounted $fstab"`,
      device,
      folder,
    ),
  )
}

export function parseDevice(stdout: string): FoundDevice {
  const [device, type, mounted, fstab] = stdout.trim().split(' ')
  return {
    device: device === '-' ? undefined : device,
    fileSystem: type === '-' ? undefined : type,
    mounted: mounted === 'yes',
    inFstab: fstab === 'yes',
  }
}

/** Refuses a device with anything on it that blkid knows: mkfs, when nobody sits at a terminal, would not ask. */
export function makeFileSystem(device: string): Command {
  return asRoot(
    script(
      `if found=$(blkid -p "$1"); then echo "$1 is not empty: $found" >&2; exit 1; fi
mkfs.ext4 -q -m 0 -L brokerkit-logs "$1" < /dev/null`,
      device,
    ),
  )
}

/** By UUID, as device names change; a boot without the device goes on, and the broker's unit waits for the mount. */
export function mountAtBoot(device: string, folder: string): Command {
  return asRoot(
    script(
      `uuid=$(blkid -s UUID -o value "$1")
new=$(mktemp /etc/fstab.XXXXXX); cat /etc/fstab > "$new"; chmod 0644 "$new"
echo "UUID=$uuid $2 ext4 noatime,nofail,x-systemd.device-timeout=60s 0 2" >> "$new"
mv -f "$new" /etc/fstab; systemctl daemon-reload`,
      device,
      folder,
    ),
  )
}

/** Kafka takes every folder among its logs for a partition's: an empty lost+found has to go. */
export function mount(folder: string): Command {
  return asRoot(
    script('mkdir -p "$1"; mount "$1"; if [ -d "$1/lost+found" ]; then rmdir "$1/lost+found"; fi', folder),
  )
}
