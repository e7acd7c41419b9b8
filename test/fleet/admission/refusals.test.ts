import assert from 'node:assert/strict'
import { test } from 'node:test'
import { draining, full, guessed, rejected, replaced, unjudged } from '../../../src/fleet/admission/refusals.ts'
import type { Refusal } from '../../../src/translate/handshake.ts'

const challenged = { 'WWW-Authenticate': 'Basic realm="ocpp"' }
const cases: readonly (readonly [Refusal | null, status: number, reason: string, headers: object])[] = [
  [draining(), 503, 'draining', { 'Retry-After': 30 }],
  [full(), 503, 'full', { 'Retry-After': 30 }],
  [replaced(), 503, 'replaced', { 'Retry-After': 30 }],
  [guessed(4), 429, 'guessing', { 'Retry-After': 4 }],
  [unjudged('away', 0), 503, 'unavailable', { 'Retry-After': 10 }],
  [unjudged('away', 0.999), 503, 'unavailable', { 'Retry-After': 60 }],
  [rejected('unauthorized'), 401, 'unauthorized', challenged],
  [rejected('unauthorized', 5), 401, 'unauthorized', { ...challenged, 'Retry-After': 5 }],
  [rejected('unknown', 5), 404, 'unknown', { 'Retry-After': 5 }],
]
for (const [refusal, status, reason, headers] of cases) {
  test(`a refusal for the reason ${reason} is ${status} with ${JSON.stringify(headers)}`, () => {
    assert.deepEqual([refusal?.status, refusal?.reason, refusal?.headers], [status, reason, headers])
  })
}

test('a station that need not wait after guesses is not refused', () => {
  assert.equal(guessed(null), null)
})
