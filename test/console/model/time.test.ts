import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agoText, clockText, dateText, durationText, msText } from '../../../src/console/model/time.ts'

const durations = [
  [0, '0 s'],
  [-3, '0 s'],
  [45.9, '45 s'],
  [60, '1 min'],
  [190, '3 min 10 s'],
  [12 * 60 + 5, '12 min'],
  [3_660, '1 h 1 min'],
  [2 * 86_400 + 4 * 3_600, '2 d 4 h'],
] as const
for (const [seconds, expected] of durations) {
  test(`${seconds} seconds are ${expected}`, () => {
    assert.equal(durationText(seconds), expected)
  })
}

test('a time is shown by its distance, and in whole', () => {
  const now = Date.parse('2026-01-31T12:00:00Z')
  assert.equal(agoText('2026-01-31T11:59:55Z', now), '5 s ago')
  assert.equal(agoText('2026-01-31T12:00:01Z', now), 'now')
  const local = new Date(2026, 0, 31, 7, 5, 9, 42).toISOString()
  assert.deepEqual([clockText(local), dateText(local)], ['07:05:09.042', '2026-01-31 07:05:09'])
})

test('milliseconds become seconds when they are many', () => {
  assert.deepEqual([msText(0.84), msText(12.6), msText(1_540)], ['0.8 ms', '13 ms', '1.5 s'])
})
