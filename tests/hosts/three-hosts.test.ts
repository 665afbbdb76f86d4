/**
 * The whole way on three hosts with systemd and sshd: provision, write, lose a process, a host and a meta.properties,
 * and provision again. The tests build on each other, in this order.
 */
import { silentProgress } from '../../provision/progress.ts'
import { hostsStatus } from '../../provision/remote-status.ts'
import { recoverMeta } from '../../provision/runbooks/recover-meta.ts'
import { etcd, type EtcdProgram } from '../setup/etcd.ts'
import { hostsImage, type HostsImage } from '../setup/hosts-image.ts'
import type { Availability } from '../setup/prerequisite.ts'
import { Ledger } from '../support/ledger.ts'
import { ProvisionedHosts } from '../support/provisioned-hosts.ts'
import { describeWith } from '../support/requires.ts'
import { waitUntil } from '../support/wait-until.ts'
import { WireClient } from '../support/wire-client.ts'

const TOPIC = 'ledger'
const RECORDS = 10_000
const FOREIGN_CLUSTER_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'
const META_PROPERTIES = '/home/kafka/logs/meta.properties'
const ISR_TIMEOUT_MS = 60_000

const hostsWithEtcd = {
  name: 'systemd hosts with etcd',
  async find(): Promise<Availability<{ image: HostsImage; etcd: EtcdProgram }>> {
    const [image, program] = [await hostsImage.find(), await etcd.find()]
    if (!image.available) return image
    if (!program.available) return program
    return { available: true, value: { image: image.value, etcd: program.value } }
  },
}

await describeWith(hostsWithEtcd, 'three hosts', ({ image, etcd }) => {
  let trial: ProvisionedHosts
  let client: WireClient
  let ledger: Ledger

  beforeAll(async () => {
    trial = await ProvisionedHosts.start(image, etcd.path)
    client = new WireClient(trial.bootstrap)
  }, 120_000)

  afterAll(async () => {
    await ledger?.close()
    await client?.close()
    await trial?.stop()
  }, 60_000)

  /** All records of the topic, which have to be those that were acknowledged. */
  const written = (): Promise<string[]> => client.readAll(TOPIC, 0)

  test('a host that shows another key than the inventory names is refused, with its fingerprint', async () => {
    const wrong = `ssh-ed25519 ${Buffer.from('\0\0\0\x0bssh-ed25519\0\0\0 '.padEnd(51, 'x')).toString('base64')}`
    await expect(trial.provision({ hostKeys: [wrong] })).rejects.toThrow(
      /offered the key ssh-ed25519 SHA256:\S+, which is not the one known for it/,
    )
    await expect(trial.provision({ hostKeys: [] })).rejects.toThrow(/host key of \S+ is not known.*SHA256:/)
  })

  test('what preflight finds stops provisioning before anything is changed, until it is accepted', async () => {
    const refused = trial.provision({ accept: ['cores', 'memory'] })
    await expect(refused).rejects.toThrow(
      /runs debian 12; ubuntu 22.04 is what brokerkit is tested for \[os\]/,
    )
    expect(await trial.onHost(1, 'getent passwd kafka || echo nobody')).toBe('nobody')
  })

  test('a port that another process holds stops provisioning and is named with its holder', async () => {
    await trial.onHost(2, 'systemd-run --quiet --unit=squatter /usr/sbin/sshd -D -p 9092')
    await waitUntil(
      async () => (await trial.onHost(2, 'ss -Hltn sport = :9092')) !== '',
      'port 9092 is taken',
    )
    await expect(trial.provision()).rejects.toThrow(/node 2 .*has port 9092 taken by sshd \(pid \d+\)/)
    await trial.onHost(2, 'systemctl stop squatter')
  })

  test('provisions three fresh hosts', async () => {
    const started = performance.now()
    const result = await trial.provision()
    console.log(`provisioned three fresh hosts in ${Math.round(performance.now() - started)} ms`)
    expect(result.started).toHaveLength(6)
    expect(result.restarted).toEqual([])
    expect(result.changes.map(({ what }) => what)).toContain('made the user kafka')
    expect(await hostsStatus(trial.target())).toMatchObject({ healthy: true, problems: [] })
  }, 180_000)

  test('leaves hosts as the guides describe them', async () => {
    expect(await trial.onHost(1, 'systemctl is-active kafka.service zookeeper.service')).toBe(
      'active\nactive',
    )
    expect(await trial.onHost(1, 'systemctl is-enabled broker.service quorum.service')).toBe(
      'enabled\nenabled',
    )
    expect(await trial.onHost(1, 'id -nG kafka')).toBe('kafka sudo')
    expect(await trial.onHost(1, 'runuser -u kafka -- sudo -n id -un')).toBe('root')
    expect(
      await trial.onHost(1, `stat -c '%U %a' /home/kafka/quorum /home/kafka/logs /home/kafka/kafka`),
    ).toBe('kafka 700\nkafka 750\nroot 755')
    expect(await trial.onHost(1, 'cat /home/kafka/kafka/config/server.properties')).toContain(
      `advertised.listeners=PLAINTEXT://${trial.host(1).address}:9092`,
    )
    expect(await trial.onHost(1, 'cat /home/kafka/kafka/kafka.log')).toContain('"broker started"')
    expect(await trial.onHost(1, 'ls /home/kafka/kafka/releases | wc -l')).toBe('1')
    expect(await trial.onHost(1, 'find /home/kafka/kafka/releases -name "*cdktf*" | wc -l')).toBe('0')
  }, 30_000)

  test('the command line tells how the cluster is, and does not delete the data of hosts', async () => {
    const status = await trial.commandLine('status', '--json')
    expect(status.exitCode).toBe(0)
    expect(JSON.parse(status.stdout)).toMatchObject({ cluster: 'trial', healthy: true })
    const destroy = await trial.commandLine('destroy', '--yes')
    expect(destroy.exitCode).toBe(1)
    expect(destroy.stderr).toContain("it does not delete the data of trial's hosts")
  }, 60_000)

  test('a second run changes nothing and restarts nothing', async () => {
    const before = [await trial.invocations('broker.service'), await trial.invocations('quorum.service')]
    const started = performance.now()
    const result = await trial.provision()
    console.log(`a second run took ${Math.round(performance.now() - started)} ms`)
    expect(result).toMatchObject({ changes: [], started: [], restarted: [] })
    expect([await trial.invocations('broker.service'), await trial.invocations('quorum.service')]).toEqual(
      before,
    )
  }, 120_000)

  test('a setting that was changed on a host by hand is put right, with a restart of that broker alone', async () => {
    await trial.onHost(2, 'echo num.io.threads=99 >> /home/kafka/kafka/config/server.properties')
    const result = await trial.provision()
    expect(result.changes.map(({ node, what }) => ({ node, what }))).toEqual([
      { node: 2, what: 'changed /home/kafka/kafka/config/server.properties' },
    ])
    expect(result.restarted).toEqual([{ node: 2, unit: 'broker.service' }])
    expect(result.started).toEqual([])
  }, 120_000)

  test('a host on which another run is at work is left alone, and that run is named', async () => {
    const hold =
      'exec 9>> /run/brokerkit.lock; flock 9; echo "provisioning by ann@desk" > /run/brokerkit.owner; sleep 600'
    await trial.onHost(2, `systemd-run --quiet --unit=holder sh -c '${hold}'`)
    await waitUntil(
      async () => (await trial.onHost(2, 'cat /run/brokerkit.owner')) !== '',
      'the lock is held',
    )
    await expect(trial.provision()).rejects.toThrow(
      /node 2 .*another run is at work on it \(provisioning by ann@desk\)/,
    )
    await trial.onHost(2, 'systemctl stop holder')
  }, 60_000)

  test('takes 10,000 records with acks=all', async () => {
    await client.createTopic(TOPIC, { replicationFactor: 3 })
    await client.waitForIsr(TOPIC, 3)
    ledger = await Ledger.open(trial.bootstrap, TOPIC)
    await ledger.write(RECORDS)
    expect(ledger.acknowledged).toHaveLength(RECORDS)
    expect(await written()).toEqual(ledger.acknowledged)
  }, 120_000)

  test('systemd starts a broker again that was killed, and writing goes on meanwhile', async () => {
    const leader = (await client.partitions(TOPIC))[0]!.leader
    ledger.startWriting()
    await trial.onHost(leader, 'kill -9 $(systemctl show --property=MainPID --value broker)')
    await waitUntil(
      async () => (await trial.property(leader, 'broker', 'NRestarts')) === '1',
      'systemd has restarted it',
    )
    await trial.waitForUnit(leader, 'broker', 'active')
    await client.waitForIsr(TOPIC, 3, ISR_TIMEOUT_MS)
    await ledger.stopWriting()
    console.log(
      `longest time without an acknowledgement after kill -9: ${Math.round(ledger.longestGapMs)} ms`,
    )
    expect(await written()).toEqual(ledger.acknowledged)
  }, 120_000)

  test('a member of the quorum that dies comes back, and its broker does not notice', async () => {
    const before = await trial.property(1, 'broker', 'InvocationID')
    await trial.onHost(1, 'kill -9 $(systemctl show --property=MainPID --value quorum)')
    await waitUntil(
      async () => (await trial.property(1, 'quorum', 'NRestarts')) === '1',
      'systemd has restarted it',
    )
    await waitUntil(async () => (await hostsStatus(trial.target())).healthy, 'all is well again', 60_000)
    expect(await trial.property(1, 'broker', 'InvocationID')).toBe(before)
    await ledger.write(100)
  }, 120_000)

  test('a host that loses power costs nothing that was acknowledged, and rejoins by itself when it boots', async () => {
    const leader = (await client.partitions(TOPIC))[0]!.leader
    ledger.startWriting()
    await trial.host(leader).powerOff()
    await waitUntil(
      async () => {
        const [partition] = await client.partitions(TOPIC).catch(() => [])
        return partition !== undefined && partition.leader !== leader && partition.isr.length === 2
      },
      'another broker leads, without the lost one',
      60_000,
    )
    const before = ledger.acknowledged.length
    await waitUntil(() => ledger.acknowledged.length > before + 100, 'writing goes on', 60_000)
    const status = await hostsStatus(trial.target())
    expect(status.healthy).toBe(false)
    expect(status.nodes[leader - 1]).toMatchObject({ broker: 'unreachable', registered: false })

    await trial.host(leader).powerOn()
    await client.waitForIsr(TOPIC, 3, ISR_TIMEOUT_MS)
    await ledger.stopWriting()
    console.log(
      `longest time without an acknowledgement after a power cut: ${Math.round(ledger.longestGapMs)} ms`,
    )
    expect(ledger.failedSends).toBe(0)
    expect(await written()).toEqual(ledger.acknowledged)
  }, 240_000)

  test('a broker whose meta.properties names another cluster fails, and the runbook brings it back', async () => {
    await trial.onHost(
      3,
      `sed -i 's/^cluster.id=.*/cluster.id=${FOREIGN_CLUSTER_ID}/' ${META_PROPERTIES}; systemctl restart broker || true`,
    )
    await trial.waitForUnit(3, 'broker', 'failed')
    expect(await trial.onHost(3, 'tail -n 1 /home/kafka/kafka/kafka.log')).toContain('recover-meta --node 3')

    const result = await recoverMeta(trial.target(), 3, { progress: silentProgress })
    expect(result).toMatchObject({ restarted: true, verdict: { action: 'repair', wrong: 'meta.properties' } })
    expect(await trial.onHost(3, `cat ${result.backups[0]}`)).toContain(FOREIGN_CLUSTER_ID)
    expect(await trial.property(3, 'broker', 'ActiveState')).toBe('active')
    expect((await client.partitions(TOPIC))[0]!.isr).toHaveLength(3)
    expect(await written()).toEqual(ledger.acknowledged)
    expect(await recoverMeta(trial.target(), 3, { progress: silentProgress })).toMatchObject({
      restarted: false,
      verdict: { action: 'none' },
    })
  }, 240_000)

  test('a changed setting reaches the brokers one at a time, without a failed send', async () => {
    const quorum = await trial.invocations('quorum.service')
    ledger.startWriting()
    const result = await trial.provision({ settings: { 'log.retention.hours': 72 } })
    await ledger.stopWriting()
    expect(result.restarted).toEqual([1, 2, 3].map((node) => ({ node, unit: 'broker.service' })))
    expect(result.started).toEqual([])
    expect(await trial.invocations('quorum.service')).toEqual(quorum)
    expect(ledger.failedSends).toBe(0)
    expect(await written()).toEqual(ledger.acknowledged)
  }, 240_000)

  test('after all this, provisioning has nothing to change', async () => {
    const result = await trial.provision({ settings: { 'log.retention.hours': 72 } })
    expect(result).toMatchObject({ changes: [], started: [], restarted: [] })
  }, 120_000)
})
