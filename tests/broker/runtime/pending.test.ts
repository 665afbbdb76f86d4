import { Pending } from '../../../broker/runtime/pending.ts'

test('settles at once with nothing under way, and else when the last one has ended, well or not', async () => {
  const pending = new Pending()
  await pending.settled()
  const [first, second] = [Promise.withResolvers<number>(), Promise.withResolvers<number>()]
  const results = Promise.allSettled([pending.track(first.promise), pending.track(second.promise)])
  let isSettled = false
  const settled = pending.settled().then(() => {
    isSettled = true
  })
  first.reject(new Error('lost'))
  await new Promise((resolve) => setImmediate(resolve))
  expect(isSettled).toBe(false)
  second.resolve(2)
  await settled
  expect(await results).toEqual([
    { status: 'rejected', reason: new Error('lost') },
    { status: 'fulfilled', value: 2 },
  ])
})
