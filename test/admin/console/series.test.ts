import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Series } from '../../../src/admin/console/series.ts'
import type { Counts } from '../../../src/admin/ports.ts'

const bounds = [0.01, 0.1, 1]
const zero: Counts = {
  received: 0,
  sent: 0,
  errors: 0,
  rpcCalls: 0,
  rpcErrors: 0,
  rpcDurations: { seconds: 0, inBuckets: [0, 0, 0, 0], bounds },
}
const levels = { stations: 3, rpcPending: 1, disconnects: 0, outbox: null }

function seriesOf(t: { after(end: () => void): void }) {
  let counts = zero
  const series = new Series({ counts: () => counts, levels: () => levels, timeNow: () => '2026-01-01T00:00:00Z' })
  t.after(() => series.close())
  return {
    series,
    count: (next: Partial<Counts>) => {
      counts = { ...counts, ...next }
      series.sample()
      return series.samples.at(-1)
    },
  }
}

test('a sample has what was counted since the one before, per second', t => {
  const { count } = seriesOf(t)
  const first = count({ received: 50, sent: 10, errors: 1 })
  assert.deepEqual([first?.received, first?.sent, first?.errors, first?.stations], [10, 2, 0.2, 3])
  assert.deepEqual([count({ received: 51 })?.received, count({})?.received], [0.2, 0])
})

const durations = [
  [[0, 0, 0, 0], 0, null, null, 'without calls there is no duration'],
  [[10, 0, 0, 0], 0.05, 5, 9.5, 'within the first bucket'],
  [[0, 10, 0, 0], 0.5, 50, 95.5, 'within the second bucket'],
  [[90, 0, 10, 0], 5, 50, 550, 'most calls are fast'],
  [[0, 0, 0, 10], 50, 5000, 1000, 'beyond the last bound, only the bound is known'],
] as const
for (const [inBuckets, seconds, mean, p95, because] of durations) {
  test(`calls in the buckets ${inBuckets.join(', ')} took ${mean} ms, 95 of 100 within ${p95} ms: ${because}`, t => {
    const sample = seriesOf(t).count({ rpcDurations: { seconds, inBuckets, bounds } })
    assert.deepEqual([sample?.rpcMeanMs, sample?.rpcP95Ms], [mean, p95])
  })
}

test('ten minutes of samples are kept', t => {
  const { series, count } = seriesOf(t)
  for (let at = 0; at < 130; at++) count({ received: at })
  assert.equal(series.samples.length * series.seconds, 600)
})
