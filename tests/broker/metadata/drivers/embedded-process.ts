/** Forked by embedded.test.ts: shares the file argv[2], holds `/live/<argv[3]>` under a lease and counts `/count` up. */
import { EmbeddedStore } from '../../../../broker/metadata/drivers/embedded.ts'
import { systemClock } from '../../../../broker/runtime/clock.ts'
import { silentLogger } from '../../../../broker/runtime/logger.ts'
import { StoreFollower } from '../../../support/follow-store.ts'

const [, , file = '', name = ''] = process.argv
const follower = await StoreFollower.open(
  new EmbeddedStore({ file, clock: systemClock, logger: silentLogger }),
)
const { store } = follower
const lease = await store.lease(name === 'short' ? 500 : 60_000)
lease.lost.addEventListener('abort', () => process.send?.('lost'))
await store.commit({ conditions: [], changes: [{ key: `/live/${name}`, value: String(process.pid), lease }] })
process.send?.('ready')
for (;;) {
  const entry = follower.tree.get('/count')
  const { committed } = await store.commit({
    conditions: [{ key: '/count', modRevision: entry?.modRevision ?? 0 }],
    changes: [{ key: '/count', value: String(Number(entry?.value ?? 0) + 1) }],
  })
  if (!committed) await follower.until('a newer count', () => follower.tree.get('/count') !== entry)
  await systemClock.sleep(5)
}
