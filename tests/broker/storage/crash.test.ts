/** What is left of a log after power was lost at a change of a seeded workload. `npm run crash` does more of the same. */
import { changesOf, checkCrash } from '../../support/crash-check.ts'

const STEPS = 60

// Those that once found something, and one of which every change is tried.
test.each([
  { seed: 2, every: 1 },
  { seed: 3, every: 7 },
  { seed: 15, every: 9 },
])(
  'seed $seed: flushed records are there, nothing else is, and all that is derived from them is right',
  async ({ seed, every }) => {
    const changes = await changesOf(seed, STEPS)
    expect(changes).toBeGreaterThan(300)
    for (let crashAt = 0; crashAt <= changes; crashAt += every)
      await checkCrash({ seed, steps: STEPS, crashAt })
  },
  120_000,
)

test.each([
  // An interrupted replacement whose undoing is interrupted as well.
  { seed: 3, crashAt: 588 },
  // A segment rolled right after a flush, which had not covered its indexes.
  { seed: 15, crashAt: 270 },
  { seed: 6, crashAt: 340 },
  // The first aborted transaction of a segment: its index is a new file.
  { seed: 12, crashAt: 347 },
  // A truncation to the middle of a batch.
  { seed: 13, crashAt: 111 },
])('seed $seed, power lost at change $crashAt', async ({ seed, crashAt }) => {
  await expect(checkCrash({ seed, steps: STEPS, crashAt })).resolves.toBeUndefined()
})
