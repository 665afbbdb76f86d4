/**
 * Scenarios as text. Brokers: `1` alive since before the state was written, `1'` alive again since after it,
 * `1~` the same, but its machine was started anew: it may have lost records,
 * `1!` shutting down, `1*` alive without its replica of the partition, whose log directory failed. A state: "leader@epoch [isr]" of a partition with replicas 1, 2, 3; "-" leads when nobody does.
 */
import { decide, decidePreferred } from '../../../broker/metadata/controller-decisions.ts'
import { EMPTY_IMAGE } from '../../../broker/metadata/image-fold.ts'
import type { BrokerRegistration, MetadataImage, PartitionImage } from '../../../broker/metadata/image.ts'
import type { PartitionState } from '../../../broker/metadata/keys.ts'
import { NO_OFFLINE_REPLICAS } from '../../../broker/metadata/offline-replicas.ts'

const STATE_REVISION = 100
const LOST = new Map([['id', new Set([0])]])

function brokers(text: string): Map<number, BrokerRegistration> {
  const words = text.split(' ').filter(Boolean)
  return new Map(
    words.map((word) => {
      const id = Number.parseInt(word, 10)
      const epoch = /['~]/.test(word) ? STATE_REVISION + id : id
      return [
        id,
        {
          id,
          epoch,
          endpoints: [],
          rack: null,
          shuttingDown: word.includes('!'),
          offlineReplicas: word.includes('*') ? LOST : NO_OFFLINE_REPLICAS,
          completeSince: word.includes('~') ? epoch : 0,
          revision: epoch,
        },
      ]
    }),
  )
}

function partition(text: string, stateRevision = STATE_REVISION): PartitionImage {
  const [, leader, epoch, isr] = /^(-|\d)@(\d+) \[(.*)\]$/.exec(text)!
  const state = { leader: leader === '-' ? -1 : Number(leader), leaderEpoch: Number(epoch) }
  return {
    index: 0,
    replicas: [1, 2, 3],
    ...state,
    isr: isr!.split(' ').filter(Boolean).map(Number),
    stateRevision,
    isrRevision: stateRevision,
  }
}

function image(alive: string, state: PartitionImage, configs: [string, string][] = []): MetadataImage {
  const topic = { name: 't', id: 'id', partitions: [state], configs: new Map(configs), revision: 1 }
  return { ...EMPTY_IMAGE, brokers: brokers(alive), topics: new Map([['t', topic]]) }
}

const text = ({ leader, leaderEpoch, isr }: PartitionState): string =>
  `${leader === -1 ? '-' : leader}@${leaderEpoch} [${isr.join(' ')}]`

test.each([
  // what happens                              alive          before          after
  ['nothing', '1 2 3', '1@5 [1 2 3]', 'no change'],
  ['a follower is lost', '1 2', '1@5 [1 2 3]', '1@5 [1 2]'],
  ['the leader is lost', '2 3', '1@5 [1 2 3]', '2@6 [2 3]'],
  ['the leader is lost, 2 is not in sync', '2 3', '1@5 [1 3]', '3@6 [3]'],
  ['leader and follower are lost', '3', '1@5 [1 2 3]', '3@6 [3]'],
  ['the last in-sync replica is lost', '2 3', '1@5 [1]', '-@6 [1]'],
  ['all are lost', '', '1@5 [1 2 3]', '-@6 [1 2 3]'],
  ['all but one that may have lost records are lost', '2~', '1@5 [1 2 3]', '-@6 [1 2 3]'],
  ['a complete one returns to it', "2~ 3'", '-@6 [1 2 3]', '3@7 [3]'],
  ['all return, and each may have lost records', '1~ 2~ 3~', '-@6 [1 2 3]', '1@7 [1 2 3]'],
  ['the only in-sync replica returns, and may have lost records', '1~ 2', '-@6 [1]', '1@7 [1]'],
  ['one that was not in sync returns', "2'", '-@6 [1 3]', 'no change'],
  ['an in-sync replica returns', "2 3'", '-@6 [1 3]', '3@7 [3]'],
  ['the whole cluster was restarted', "1' 2' 3'", '1@5 [1 2 3]', '1@6 [1 2 3]'],
  ['the leader died and came back unnoticed', "1' 2 3", '1@5 [1 2 3]', '2@6 [2 3]'],
  ['a follower died and came back unnoticed', "1 2' 3", '1@5 [1 2 3]', '1@5 [1 3]'],
  ['the only in-sync replica died and came back unnoticed', "1' 2 3", '1@5 [1]', '1@6 [1]'],
  ['the leader asks to shut down', '1! 2 3', '1@5 [1 2 3]', '2@6 [2 3]'],
  ['a follower asks to shut down', '1 2! 3', '1@5 [1 2 3]', '1@5 [1 3]'],
  ['the last in-sync replica asks to shut down', '1! 2 3', '1@5 [1]', 'no change'],
  ['all ask to shut down', '1! 2! 3!', '1@5 [1 2 3]', 'no change'],
  ['the leader is lost while the last follower shuts down', '2!', '1@5 [1 2]', '2@6 [2]'],
  ["the leader's directory fails", '1* 2 3', '1@5 [1 2 3]', '2@6 [2 3]'],
  ["a follower's directory fails", '1 2* 3', '1@5 [1 2 3]', '1@5 [1 3]'],
  ["the only in-sync replica's directory fails", '1* 2 3', '1@5 [1]', '-@6 [1]'],
  ['the directory that failed is good after a restart', "1' 2 3", '-@6 [1]', '1@7 [1]'],
  ['the directory fails again at the restart', "1'* 2 3", '-@6 [1]', 'no change'],
  ['the leader fails while a follower has no directory', '2* 3', '1@5 [1 2 3]', '3@6 [3]'],
  ['somebody who is no replica is there', '1 2 3 4', '1@5 [1 2 3]', 'no change'],
])('%s', (_what, alive, before, after) => {
  const decisions = decide(image(alive, partition(before)), { uncleanElection: false })
  expect(decisions.map(({ next }) => text(next))).toEqual(after === 'no change' ? [] : [after])
})

test('what is decided needs no further decision', () => {
  for (const alive of ['1 2 3', '2 3', "1' 2", "3'", '1! 2 3', '']) {
    for (const before of ['1@5 [1 2 3]', '3@5 [3]', '-@6 [1 3]']) {
      const [first] = decide(image(alive, partition(before)), { uncleanElection: false })
      if (first === undefined) continue
      const written = {
        ...partition(text(first.next)),
        stateRevision: 1_000,
        isrRevision: first.next.isrRevision ?? 1_000,
      }
      expect(decide(image(alive, written), { uncleanElection: false })).toEqual([])
    }
  }
})

test('a replica that is not in sync leads only where the topic, or else the broker, says so', () => {
  const state = partition('-@6 [1]')
  const next = (unclean: boolean, configs: [string, string][]) =>
    decide(image('2 3', state, configs), { uncleanElection: unclean }).map(({ next }) => text(next))
  expect(next(false, [])).toEqual([])
  expect(next(true, [])).toEqual(['2@7 [2]'])
  expect(next(false, [['unclean.leader.election.enable', 'true']])).toEqual(['2@7 [2]'])
  expect(next(true, [['unclean.leader.election.enable', 'false']])).toEqual([])
})

test('a partition whose state was never written begins with the live replicas', () => {
  const unwritten = partition('-@0 []', 0)
  expect(decide(image('2 3', unwritten), { uncleanElection: false })[0]?.next).toEqual({
    leader: 2,
    leaderEpoch: 0,
    isr: [2, 3],
  })
  expect(decide(image('', unwritten), { uncleanElection: false })).toEqual([])
})

test('a state that could not be read is left to a person', () => {
  expect(decide(image('1 2 3', partition('-@0 []')), { uncleanElection: false })).toEqual([])
})

test('the preferred replica leads again once it is in sync', () => {
  const next = (alive: string, state: string) =>
    decidePreferred(image(alive, partition(state))).map((d) => text(d.next))
  expect(next('1 2 3', '2@6 [2 3 1]')).toEqual(['1@7 [2 3 1]'])
  expect(next('1 2 3', '2@6 [2 3]')).toEqual([])
  expect(next('1! 2 3', '2@6 [2 3 1]')).toEqual([])
  expect(next('1 2 3', '1@6 [1 2]')).toEqual([])
})
