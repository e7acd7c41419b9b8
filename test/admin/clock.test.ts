import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Clock } from '../../src/admin/clock.ts'

test('a time of the monotonic clock is a time of day, and back', () => {
  const clock = new Clock({ now: () => 5_000, date: () => new Date('2026-01-01T00:00:10Z') })
  assert.equal(clock.timeOf(4_000), '2026-01-01T00:00:09.000Z')
  assert.equal(clock.at('2026-01-01T00:00:09Z'), 4_000)
})
