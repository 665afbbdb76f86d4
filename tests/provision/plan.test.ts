import { readFileSync } from 'node:fs'
import path from 'node:path'

import { BROKER_KEYS } from '../../broker/config/broker-keys.ts'
import { parseProperties } from '../../broker/config/properties-file.ts'
import {
  BROKER_UNIT,
  QUORUM_UNIT,
  planNode,
  type ClusterSettings,
  type PlannedNode,
} from '../../provision/plan.ts'

const SYSTEMD = path.resolve(import.meta.dirname, '../../systemd')
const templates = {
  [QUORUM_UNIT]: readFileSync(path.join(SYSTEMD, QUORUM_UNIT), 'utf8'),
  [BROKER_UNIT]: readFileSync(path.join(SYSTEMD, BROKER_UNIT), 'utf8'),
}
const nodes: PlannedNode[] = [1, 2, 3].map((id) => ({ id, address: `10.0.1.1${id}`, rack: `az-${id}` }))
const settings: ClusterSettings = {
  cluster: 'demo',
  nodes,
  brokerSettings: { 'log.retention.hours': '72' },
  memory: { brokerMiB: 5120, quorumMiB: 1024 },
}
const release = { id: 'r1', etcdSha256: 'e1' }

function plan(changes: Partial<ClusterSettings> = {}, of = release): ReturnType<typeof planNode> {
  return planNode(nodes[1]!, { ...settings, ...changes }, of, templates)
}

test('a broker gets its own place, safe defaults and the operator’s settings', () => {
  expect(Object.fromEntries(parseProperties(plan().serverProperties))).toEqual({
    'node.id': '2',
    listeners: 'PLAINTEXT://10.0.1.12:9092',
    'advertised.listeners': 'PLAINTEXT://10.0.1.12:9092',
    'quorum.connect': '10.0.1.11:2379,10.0.1.12:2379,10.0.1.13:2379',
    'log.dirs': '/home/kafka/logs',
    'broker.rack': 'az-2',
    'delete.topic.enable': 'true',
    'default.replication.factor': '3',
    'min.insync.replicas': '2',
    'offsets.topic.replication.factor': '3',
    'log.retention.hours': '72',
  })
})

test('the operator’s settings go before the defaults, but cannot move a node', () => {
  const own = plan({ brokerSettings: { 'min.insync.replicas': '1' } })
  expect(parseProperties(own.serverProperties).get('min.insync.replicas')).toBe('1')
  expect(() => plan({ brokerSettings: { listeners: 'PLAINTEXT://:9092' } })).toThrow(
    /broker.settings: listeners is each node's own/,
  )
})

test('one node alone has one replica of everything', () => {
  const alone = planNode(nodes[0]!, { ...settings, nodes: [nodes[0]!] }, release, templates)
  const properties = parseProperties(alone.serverProperties)
  expect(properties.get('default.replication.factor')).toBe('1')
  expect(properties.get('min.insync.replicas')).toBe('1')
})

test('the quorum listens on the node’s own address only and knows its members', () => {
  expect(JSON.parse(plan().quorumConfig)).toMatchObject({
    name: 'node-2',
    'data-dir': '/home/kafka/quorum',
    'listen-client-urls': 'http://10.0.1.12:2379',
    'listen-peer-urls': 'http://10.0.1.12:2380',
    'initial-cluster':
      'node-1=http://10.0.1.11:2380,node-2=http://10.0.1.12:2380,node-3=http://10.0.1.13:2380',
  })
})

test('IPv6 addresses are bracketed, and a name is refused where an address is needed', () => {
  const six = { id: 1, address: 'fd00::1' }
  const planned = planNode(six, { ...settings, nodes: [six] }, release, templates)
  expect(parseProperties(planned.serverProperties).get('listeners')).toBe('PLAINTEXT://[fd00::1]:9092')
  const named = { id: 1, address: 'broker-1' }
  expect(() => planNode(named, { ...settings, nodes: [named] }, release, templates)).toThrow(
    'node 1: the quorum listens on an IP address, and broker-1 is not one',
  )
})

test('units are what the guides promise', () => {
  const { units } = plan()
  expect(units[BROKER_UNIT]).toContain('\nAlias=kafka.service\n')
  expect(units[QUORUM_UNIT]).toContain('\nAlias=zookeeper.service\n')
  for (const unit of Object.values(units)) {
    expect(unit).toContain('\nUser=kafka\n')
    expect(unit).toContain('\nRestart=on-failure\n')
    expect(unit).toMatch(/\nStartLimitBurst=\d+\n/)
    expect(unit).not.toMatch(/\{\{|\}\}/)
  }
  expect(units[BROKER_UNIT]).toContain('\nStandardOutput=append:/home/kafka/kafka/kafka.log\n')
  expect(units[BROKER_UNIT]).toContain('\nMemoryMax=5120M\n')
  expect(units[BROKER_UNIT]).toContain('--max-old-space-size=2048 ')
})

test('a broker that waits for its quorum, however long, never uses up its start limit', () => {
  const unit = plan().units[BROKER_UNIT]
  const seconds = (key: string): number => Number(new RegExp(`\\n${key}=(\\d+)\\n`).exec(unit)![1])
  const waitsMs = BROKER_KEYS['quorum.connect.timeout.ms'].default
  const triesInInterval = seconds('StartLimitIntervalSec') / (waitsMs / 1000 + seconds('RestartSec'))
  expect(triesInInterval).toBeLessThan(seconds('StartLimitBurst') - 1)
})

test('a digest changes with what its unit runs, and with nothing else', () => {
  const before = plan().digests
  const newBroker = plan({}, { id: 'r2', etcdSha256: 'e1' }).digests
  expect(newBroker[BROKER_UNIT]).not.toBe(before[BROKER_UNIT])
  expect(newBroker[QUORUM_UNIT]).toBe(before[QUORUM_UNIT])
  const newEtcd = plan({}, { id: 'r1', etcdSha256: 'e2' }).digests
  expect(newEtcd[BROKER_UNIT]).toBe(before[BROKER_UNIT])
  expect(newEtcd[QUORUM_UNIT]).not.toBe(before[QUORUM_UNIT])
  const newSetting = plan({ brokerSettings: {} }).digests
  expect(newSetting[BROKER_UNIT]).not.toBe(before[BROKER_UNIT])
  expect(newSetting[QUORUM_UNIT]).toBe(before[QUORUM_UNIT])
  expect(plan().digests).toEqual(before)
})
