/** A leader that dies with records that nobody else has: they were not acknowledged to the in-sync set, and must go. */
import { logBytes } from '../support/log-bytes.ts'
import { useCluster } from '../support/use-cluster.ts'
import { waitUntil } from '../support/wait-until.ts'

const TOPIC = 'diverging'

const used = useCluster()

test('a leader that comes back truncates what the new leader never had', async () => {
  await used.client.createTopic(TOPIC)
  await used.client.waitForIsr(TOPIC, 3)
  await used.client.write(TOPIC, 0, ['shared 1', 'shared 2'])
  const former = (await used.client.partitions(TOPIC))[0]!.leader
  const followers = [1, 2, 3].filter((id) => id !== former)

  for (const id of followers) used.cluster.pause(id)
  // The fetches that are under way take the first batch along; nobody asks for the second one.
  for (const values of [['on its way'], ['lonely 1', 'lonely 2']]) {
    expect(await used.client.produceTo(used.cluster.address(former), TOPIC, 0, values, { acks: 1 })).toBe(
      'NONE',
    )
  }
  await used.cluster.kill(former)
  for (const id of followers) used.cluster.resume(id)

  await waitUntil(async () => {
    const [partition] = await used.client.partitions(TOPIC)
    return partition !== undefined && followers.includes(partition.leader)
  }, 'a follower leads')
  await used.client.write(TOPIC, 0, ['after 1'])

  await used.cluster.start(former)
  await used.client.waitForIsr(TOPIC, 3)
  const values = await used.client.readAll(TOPIC, 0)
  expect(values.slice(0, 2)).toEqual(['shared 1', 'shared 2'])
  expect(values).not.toContain('lonely 1')
  expect(values.at(-1)).toBe('after 1')
  const log = (id: number): Buffer => logBytes(used.cluster.broker(id).logDir, TOPIC, 0)
  await waitUntil(() => [2, 3].every((id) => log(id).equals(log(1))), 'all logs are the same')
}, 60_000)
