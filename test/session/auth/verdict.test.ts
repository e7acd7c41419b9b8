import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verdictOf, type Verdict } from '../../../src/session/auth/verdict.ts'

const disconnect = (reason: string): string => JSON.stringify({ type: 'disconnect', reason, reconnect: false })

const rows: readonly (readonly [transmissions: readonly string[], expected: Verdict, because: string])[] = [
  [[disconnect('unauthorized')], 'unauthorized', 'as `reject_unauthorized_connection` transmits it'],
  [[disconnect('not_found')], 'unknown', 'as `close(reason: "not_found")` transmits it'],
  [[disconnect('not_found'), disconnect('unauthorized')], 'unknown', 'both were called'],
  [[disconnect('not_found'), '{"type":"welcome"}'], 'unknown', 'the welcome follows a close'],
  [['{"type":"welcome","reason":"not_found"}'], 'unauthorized', 'only a disconnect has a reason'],
  [['{"message":{"type":"disconnect","reason":"not_found"}}'], 'unauthorized', 'it is the channel that transmits this'],
  [[], 'unauthorized', 'the app says nothing'],
  [['{', '', '[]'], 'unauthorized', 'nothing of it can be read'],
]
for (const [transmissions, expected, because] of rows) {
  test(`a Connect that fails with ${transmissions.join(' ') || 'nothing'} is ${expected}: ${because}`, () => {
    assert.equal(verdictOf({ transmissions }), expected)
  })
}
