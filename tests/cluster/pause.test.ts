/** A leader that stands still for longer than its session (a long pause of its machine) and then goes on. */
import { logBytes } from '../support/log-bytes.ts'
import { useCluster } from '../support/use-cluster.ts'
import { waitUntil } from '../support/wait-until.ts'
import { WireClient } from '../support/wire-client.ts'

const TOPIC = 'frozen'

const used = useCluster({ 'min.insync.replicas': '2', 'quorum.session.timeout.ms': '2000' })

test('a deposed leader that does not know it yet acknowledges nothing, and drops what it appended', async () => {
  await used.client.createTopic(TOPIC)
  await used.client.waitForIsr(TOPIC, 3)
  await used.client.write(TOPIC, 0, ['before'])
  const former = (await used.client.partitions(TOPIC))[0]!.leader
  const others = [1, 2, 3].filter((id) => id !== former)

  used.cluster.pause(former)
  const stale = used.client.produceTo(used.cluster.address(former), TOPIC, 0, ['stale'])
  const survivor = new WireClient(others.map((id) => used.cluster.address(id)))
  await waitUntil(
    async () => others.includes((await survivor.partitions(TOPIC))[0]?.leader ?? -1),
    'another broker leads',
  )
  await survivor.write(TOPIC, 0, ['during'])
  used.cluster.resume(former)

  expect(await stale).toBe('NOT_LEADER_OR_FOLLOWER')
  await used.client.waitForIsr(TOPIC, 3)
  await used.client.write(TOPIC, 0, ['after'])
  expect(await used.client.readAll(TOPIC, 0)).toEqual(['before', 'during', 'after'])
  const log = (id: number): Buffer => logBytes(used.cluster.broker(id).logDir, TOPIC, 0)
  await waitUntil(() => [2, 3].every((id) => log(id).equals(log(1))), 'all logs are the same')
  await survivor.close()
}, 60_000)
