import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clockText, durationText, latencyText, sinceText } from '../../../src/cli/show/time.ts'

const durations = [
  [-3, '0s', 'the clock of another machine may be ahead'],
  [0.9, '0s', 'parts of a second are left out'],
  [59, '59s', 'seconds'],
  [60, '1m', 'a whole minute'],
  [130, '2m 10s', 'minutes'],
  [3_600, '1h', 'a whole hour'],
  [11_100, '3h 5m', 'hours'],
  [352_800, '4d 2h', 'days'],
] as const
for (const [seconds, text, because] of durations) {
  test(`durationText of ${seconds} s is ${text}: ${because}`, () => {
    assert.equal(durationText(seconds), text)
  })
}

test('sinceText counts from a time', () => {
  assert.equal(sinceText('2026-01-02T03:04:05Z', Date.parse('2026-01-02T03:06:15Z')), '2m 10s')
})

const latencies = [
  [0.42, '0.4 ms'],
  [9.96, '10.0 ms'],
  [340.4, '340 ms'],
  [12_345, '12.3 s'],
] as const
for (const [ms, text] of latencies) {
  test(`latencyText of ${ms} is ${text}`, () => {
    assert.equal(latencyText(ms), text)
  })
}

test('clockText has the time of day with milliseconds', () => {
  assert.match(clockText('2026-01-02T03:04:05.006Z'), /^\d\d:\d\d:05\.006$/)
})
