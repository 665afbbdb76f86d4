/** systemd units of a host: look, verify, install, start. */
import { asRoot, command, script, type Command } from './shell.ts'

export const UNIT_FOLDER = '/etc/systemd/system'

export interface UnitState {
  /** systemd's ActiveState: active, inactive, failed, activating, … */
  readonly active: string
  readonly sub: string
  readonly enabled: boolean
  readonly mainPid: number
  readonly restarts: number
  /** Changes with every start of the unit. */
  readonly invocation: string
  /** Why the last run ended: success, exit-code, signal, start-limit-hit, … */
  readonly result: string
  /** BROKERKIT_DIGEST of the running process: what it was started with. */
  readonly digest: string | undefined
}

const PROPERTIES = 'ActiveState,SubState,UnitFileState,MainPID,NRestarts,InvocationID,Result'

export function lookAtUnit(unit: string): Command {
  return asRoot(
    script(
      `systemctl show --property=${PROPERTIES} "$1"
pid=$(systemctl show --property=MainPID --value "$1")
if [ "\${pid:-0}" != 0 ] && [ -r "/proc/$pid/environ" ]; then
  tr '\\0' '\\n' < "/proc/$pid/environ" | grep '^BROKERKIT_DIGEST=' || true
fi`,
      unit,
    ),
  )
}

export function parseUnit(stdout: string): UnitState {
  const values = new Map(
    stdout
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
  return {
    active: values.get('ActiveState') ?? 'unknown',
    sub: values.get('SubState') ?? 'unknown',
    enabled: values.get('UnitFileState') === 'enabled',
    mainPid: Number(values.get('MainPID') ?? 0),
    restarts: Number(values.get('NRestarts') ?? 0),
    invocation: values.get('InvocationID') ?? '',
    result: values.get('Result') ?? '',
    digest: values.get('BROKERKIT_DIGEST'),
  }
}

/**
 * Reads a tar of unit files from stdin and asks systemd whether it would load them. Prints its complaints about
 * these units (it also has some about others); exits with 1 when there are any.
 */
export function verifyUnits(names: readonly string[]): Command {
  return asRoot(
    script(
      `folder=$(mktemp -d /run/brokerkit-verify.XXXXXX); trap 'rm -rf "$folder"' EXIT
tar -C "$folder" -xf -
cd "$folder"; status=0
systemd-analyze verify "$@" > output 2>&1 || status=$?
for name in "$@"; do grep -F "$name" output && status=1; done
exit $status`,
      ...names,
    ),
  )
}

export function reloadUnits(): Command {
  return asRoot(command('systemctl', 'daemon-reload'))
}

/** Enables units for the next boot, with their aliases. */
export function enableUnits(units: readonly string[]): Command {
  return asRoot(command('systemctl', 'enable', '--quiet', ...units))
}

/** Restarts a unit or starts it, also one that has used up its start limit. */
export function restartUnit(unit: string): Command {
  return asRoot(script('systemctl reset-failed "$1" 2>/dev/null || true; systemctl restart "$1"', unit))
}

export function stopUnit(unit: string): Command {
  return asRoot(command('systemctl', 'stop', unit))
}

/** The end of what a unit said: the journal has systemd's side, the file the process's own. */
export function lastWords(unit: string, logFile: string): Command {
  return asRoot(
    script(
      `journalctl --unit="$1" --lines=4 --no-pager --output=cat --quiet 2>/dev/null || true
tail -n 4 "$2" 2>/dev/null || true`,
      unit,
      logFile,
    ),
  )
}
