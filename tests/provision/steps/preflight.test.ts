import { clockFinding, findings, isAccepted, type Surveyed } from '../../../provision/steps/preflight.ts'

const WANTED = { memoryMiB: 6144 }

function host(parts: Partial<Surveyed> = {}): Surveyed {
  return {
    os: 'ubuntu 22.04',
    machine: 'x86_64',
    architecture: 'x64',
    cores: 8,
    memoryMiB: 7900,
    freeDiskMiB: 100_000,
    glibc: '2.35',
    systemd: 249,
    listeners: [],
    clockOffsetMs: 0,
    clockErrorMs: 1,
    ...parts,
  }
}

function listener(port: number, unit = ''): Surveyed['listeners'][number] {
  return { port, unit, pid: 812, process: 'java' }
}

test('a host of 8 cores and 8 GiB with Ubuntu 22.04 passes, also when it runs our units', () => {
  expect(findings(host(), WANTED)).toEqual([])
  const running = host({ listeners: [listener(9092, 'broker.service'), listener(2379, 'quorum.service')] })
  expect(findings(running, WANTED)).toEqual([])
})

test.each<[Partial<Surveyed>, string, string]>([
  [{ os: 'debian 12' }, 'os', 'runs debian 12; ubuntu 22.04 is what brokerkit is tested for'],
  [{ cores: 2 }, 'cores', 'has 2 cores; 8 are asked for'],
  [{ memoryMiB: 4000 }, 'memory', 'has 4000 MiB of memory'],
  [{ freeDiskMiB: 500 }, 'disk', 'has 500 MiB free for /home/kafka/logs; 10240 is the least'],
  [
    { architecture: undefined, machine: 'riscv64' },
    'architecture',
    'is a riscv64; x86_64 or aarch64 is needed',
  ],
  [{ glibc: '2.27' }, 'glibc', 'has glibc 2.27; Node.js needs 2.28'],
  [{ glibc: undefined }, 'glibc', 'has no glibc; Node.js needs 2.28'],
  [{ systemd: undefined }, 'systemd', 'has another init; systemd 247 is needed'],
  [{ listeners: [listener(9092)] }, 'ports', 'has port 9092 taken by java (pid 812); the broker needs it'],
  [
    { listeners: [listener(2380, 'etcd.service')] },
    'ports',
    'has port 2380 taken by java (pid 812); the quorum needs it',
  ],
])('%j is found', (parts, kind, text) => {
  const found = findings(host(parts), WANTED)
  expect(found).toHaveLength(1)
  expect(found[0]!.kind).toBe(kind)
  expect(found[0]!.text).toContain(text)
})

test('glibc 2.3 is older than 2.28, and 2.100 is not', () => {
  expect(findings(host({ glibc: '2.3' }), WANTED)).toHaveLength(1)
  expect(findings(host({ glibc: '2.100' }), WANTED)).toHaveLength(0)
})

test('clocks that differ by more than the probes may be off are found', () => {
  const clocks = (offset: number, errorMs = 1): ReturnType<typeof clockFinding> =>
    clockFinding(
      new Map([
        ['node 1', host({ clockOffsetMs: 7_000 })],
        ['node 2', host({ clockOffsetMs: 7_000 + offset, clockErrorMs: errorMs })],
      ]),
    )
  expect(clocks(400)).toBeUndefined()
  expect(clocks(700, 300)).toBeUndefined()
  expect(clocks(700)?.text).toBe(
    'the clock of node 2 is 700 ms ahead of that of node 1; is NTP running on both?',
  )
})

test('what is accepted is accepted by its kind, and no more', () => {
  const [os] = findings(host({ os: 'debian 12' }), WANTED)
  expect(isAccepted(os!, ['os'])).toBe(true)
  expect(isAccepted(os!, ['cores', 'memory'])).toBe(false)
  const [ports] = findings(host({ listeners: [listener(9092)] }), WANTED)
  expect(isAccepted(ports!, ['os', 'cores', 'memory', 'disk', 'clock'])).toBe(false)
})
