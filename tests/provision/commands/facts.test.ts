import { execFileSync } from 'node:child_process'

import { askFacts, parseFacts } from '../../../provision/commands/facts.ts'

test('facts are read from what a host prints', () => {
  const facts = parseFacts(
    [
      'os ubuntu 22.04',
      'machine aarch64',
      'cores 8',
      'memoryKiB 8131556',
      'freeDiskKiB 102400000',
      'glibc glibc 2.35',
      'systemd 249',
      'listener 22 612 ssh.service sshd',
      'listener 9092 1021 broker.service node',
      'listener 2379 - - -',
      '',
    ].join('\n'),
  )
  expect(facts).toEqual({
    os: 'ubuntu 22.04',
    machine: 'aarch64',
    architecture: 'arm64',
    cores: 8,
    memoryMiB: 7940,
    freeDiskMiB: 100_000,
    glibc: '2.35',
    systemd: 249,
    listeners: [
      { port: 22, pid: 612, unit: 'ssh.service', process: 'sshd' },
      { port: 9092, pid: 1021, unit: 'broker.service', process: 'node' },
      { port: 2379, pid: undefined, unit: '', process: 'another process' },
    ],
  })
})

test('a host without glibc or systemd is told apart from one with them', () => {
  const facts = parseFacts('os alpine 3.20\nmachine x86_64\nglibc \n')
  expect(facts).toMatchObject({ glibc: undefined, systemd: undefined, architecture: 'x64' })
})

test('this machine can answer', () => {
  const { argv } = askFacts('/no/such/folder/yet')
  const facts = parseFacts(execFileSync(argv[0]!, argv.slice(1), { encoding: 'utf8' }))
  expect(facts.cores).toBeGreaterThan(0)
  expect(facts.memoryMiB).toBeGreaterThan(100)
  expect(facts.freeDiskMiB).toBeGreaterThan(1)
})
