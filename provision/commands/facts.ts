/** What preflight asks of a host, in one command that prints "key value" lines. */
import { asRoot, command, script, type Command } from './shell.ts'
import type { Architecture } from '../release-packages.ts'

export interface Facts {
  /** ID and VERSION_ID of /etc/os-release: "ubuntu 22.04". */
  readonly os: string
  readonly architecture: Architecture | undefined
  readonly machine: string
  readonly cores: number
  readonly memoryMiB: number
  /** Free where the logs are or will be. */
  readonly freeDiskMiB: number
  /** "2.35", undefined for another C library. */
  readonly glibc: string | undefined
  /** Version of a systemd that is the init of this host, undefined for another init. */
  readonly systemd: number | undefined
  readonly listeners: readonly Listener[]
}

/** A TCP port that some process listens on. */
export interface Listener {
  readonly port: number
  readonly process: string
  readonly pid: number | undefined
  /** The systemd unit that it runs in, "" for none. */
  readonly unit: string
}

const MACHINES: Readonly<Record<string, Architecture>> = { x86_64: 'x64', aarch64: 'arm64' }

/** `dataFolder` may not exist yet: its nearest parent that does is measured. */
export function askFacts(dataFolder: string): Command {
  return asRoot(
    script(
      `. /etc/os-release; echo "os \${ID:-unknown} \${VERSION_ID:-}"
echo "machine $(uname -m)"
echo "cores $(nproc)"
echo "memoryKiB $(sed -n 's/^MemTotal: *\\([0-9]*\\) kB$/\\1/p' /proc/meminfo)"
folder=$1; while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
echo "freeDiskKiB $(df -Pk "$folder" | sed 1d | tr -s ' ' | cut -d' ' -f4)"
echo "glibc $(getconf GNU_LIBC_VERSION 2>/dev/null || true)"
if [ -d /run/systemd/system ]; then echo "systemd $(systemctl --version | sed -n '1s/^systemd \\([0-9]*\\).*/\\1/p')"; fi
ss -Hltnp | while read -r _ _ _ local _ users; do
  pid=$(echo "$users" | sed -n 's/.*pid=\\([0-9]*\\).*/\\1/p')
  name=$(echo "$users" | sed -n 's/[^"]*"\\([^"]*\\)".*/\\1/p')
  unit=; if [ -n "$pid" ]; then unit=$(sed -n 's#.*/\\([^/]*\\.service\\).*#\\1#p' "/proc/$pid/cgroup" | head -n 1); fi
  echo "listener \${local##*:} \${pid:--} \${unit:--} \${name:--}"
done`,
      dataFolder,
    ),
  )
}

export function parseFacts(stdout: string): Facts {
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => splitAt(line))
  const value = (key: string): string => lines.find(([name]) => name === key)?.[1].trim() ?? ''
  const glibc = /^glibc (\d+\.\d+)/.exec(value('glibc'))
  return {
    os: value('os'),
    machine: value('machine'),
    architecture: MACHINES[value('machine')],
    cores: Number(value('cores')),
    memoryMiB: Math.floor(Number(value('memoryKiB')) / 1024),
    freeDiskMiB: Math.floor(Number(value('freeDiskKiB')) / 1024),
    glibc: glibc?.[1],
    systemd: value('systemd') === '' ? undefined : Number(value('systemd')),
    listeners: lines.filter(([name]) => name === 'listener').map(([, rest]) => parseListener(rest)),
  }
}

/** The host's clock in milliseconds since the epoch. */
export function askTime(): Command {
  return command('date', '+%s%3N')
}

function parseListener(text: string): Listener {
  const [port, pid, unit, ...name] = text.split(' ')
  return {
    port: Number(port),
    pid: pid === '-' ? undefined : Number(pid),
    unit: unit === '-' ? '' : unit!,
    process: name.join(' ') === '-' ? 'another process' : name.join(' '),
  }
}

function splitAt(line: string): [string, string] {
  const at = line.indexOf(' ')
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)]
}
