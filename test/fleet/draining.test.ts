import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drainWithin, paceOf } from '../../src/fleet/draining.ts'

const drains: readonly [leftMs: number, isSlow: boolean, expected: object, because: string][] = [
  [
    30_000,
    false,
    { graceMs: 10_000, spreadMs: 0, withinMs: 27_000 },
    'all close at once, and a third is for calls in flight',
  ],
  [
    30_000,
    true,
    { graceMs: 5_000, spreadMs: 20_000, withinMs: 27_000 },
    'the last session closed has its grace before the end, too',
  ],
  [600, true, { graceMs: 100, spreadMs: 400, withinMs: 540 }, 'shares, not fixed times'],
  [0, true, { graceMs: 0, spreadMs: 0, withinMs: 0 }, 'no time at all'],
]
for (const [leftMs, isSlow, expected, because] of drains) {
  test(`drainWithin shares ${leftMs} ms of a ${isSlow ? 'slow' : 'fast'} drain: ${because}`, () => {
    assert.deepEqual(drainWithin(leftMs, isSlow), expected)
  })
}

test('drainWithin leaves time for the calls of the last station when the drain is slow', () => {
  for (const leftMs of [1_000, 30_000, 600_000]) {
    const { spreadMs, graceMs, withinMs } = drainWithin(leftMs, true)
    assert.ok(spreadMs + graceMs < withinMs && withinMs < leftMs, `${leftMs} ms`)
  }
})

const paces: readonly [stations: number, spreadMs: number, expected: object, because: string][] = [
  [10_000, 0, { atOnce: 10_000, pauseMs: 0 }, 'not spread: all at once'],
  [0, 20_000, { atOnce: 1, pauseMs: 500 }, 'no stations'],
  [2, 20_000, { atOnce: 1, pauseMs: 500 }, 'a few stations: half a second between two'],
  [100, 20_000, { atOnce: 1, pauseMs: 200 }, 'one at a time, evenly'],
  [1_000, 20_000, { atOnce: 1, pauseMs: 20 }, 'as many as fit one at a time'],
  [1_001, 20_000, { atOnce: 2, pauseMs: 20_000 / 501 }, 'one more than fit: two at a time, half as often'],
  [10_000, 20_000, { atOnce: 10, pauseMs: 20 }, 'a full process'],
  [3, 10, { atOnce: 3, pauseMs: 10 }, 'no time for more than one step'],
]
for (const [stations, spreadMs, expected, because] of paces) {
  test(`paceOf spreads ${stations} stations over ${spreadMs} ms: ${because}`, () => {
    assert.deepEqual(paceOf(stations, spreadMs), expected)
  })
}

test('paceOf closes all stations within the time, as few at once as possible', () => {
  for (const stations of [1, 7, 999, 1_000, 4_321, 33_333]) {
    for (const spreadMs of [20, 333, 5_000, 20_000]) {
      const { atOnce, pauseMs } = paceOf(stations, spreadMs)
      const steps = Math.ceil(stations / atOnce)
      const name = `${stations} over ${spreadMs}: ${atOnce} every ${pauseMs} ms`
      assert.ok((steps - 1) * pauseMs <= spreadMs, name)
      assert.ok(pauseMs >= 20 && pauseMs <= 500, name)
      assert.ok(atOnce === 1 || Math.ceil(stations / (atOnce - 1)) * 20 > spreadMs, name)
    }
  }
})
