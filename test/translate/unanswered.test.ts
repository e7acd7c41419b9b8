import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { RpcError } from '../../src/cable/rpc.ts'
import { answeredWithError, causeOf, closedOver, type Cause } from '../../src/translate/unanswered.ts'

type Expected = readonly [
  cause: Cause,
  closes: number,
  waitsOutside: 'untilReply' | 'untilAccepted' | false,
  because: string,
]
const rows: readonly Expected[] = [
  ['away', Infinity, 'untilReply', 'an hour of absence must not use up the attempts of a station'],
  ['timeout', Infinity, 'untilReply', 'the app may have run the message, so it must not be discarded'],
  ['queue', Infinity, 'untilReply', 'too much to do is no fault of the message'],
  ['ended', Infinity, false, 'the next process takes it'],
  ['raised', 3, false, 'the app is there, and one bad message must not keep the station out'],
  ['refused', 3, false, 'the same'],
  ['behind', 3, false, 'the app is there, and the station has other messages'],
  ['unattached', Infinity, 'untilAccepted', 'the app raised before it saw the message, and replies all the same'],
  ['unauthorized', Infinity, false, 'the app may accept the station later'],
  ['unready', Infinity, 'untilReply', 'it was the bridge that put off the boot'],
]
for (const [cause, closes, waitsOutside, because] of rows) {
  test(`the connection is closed ${closes} times over a message for the cause ${cause}: ${because}`, () => {
    assert.equal(closedOver[cause].closes, closes)
    assert.equal(closedOver[cause].waitsOutside, waitsOutside)
  })
}

test('each cause of a close has a row in this test', () => {
  assert.deepEqual(rows.map(([cause]) => cause).sort(), Object.keys(closedOver).sort())
})

test('docs/operations.md has each cause, and each CALLERROR that is right', () => {
  const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  for (const cause of [...Object.keys(closedOver), ...Object.keys(answeredWithError)])
    assert.match(page, new RegExp(`^\\| \`${cause}\``, 'm'))
})

const errors: readonly (readonly [RpcError['code'], RpcError['outcome'], isAttached: boolean, Cause])[] = [
  ['unavailable', 'notRun', true, 'away'],
  ['unavailable', 'unknown', true, 'away'],
  ['exhausted', 'notRun', true, 'queue'],
  ['timeout', 'notRun', true, 'queue'],
  ['timeout', 'unknown', true, 'timeout'],
  ['application', 'ran', true, 'raised'],
  ['application', 'ran', false, 'unattached'],
  ['blocked', 'notRun', true, 'behind'],
  ['aborted', 'notRun', true, 'ended'],
]
for (const [code, outcome, isAttached, cause] of errors) {
  const where = isAttached ? 'an action' : 'Connect or subscribe'
  test(`the cause is ${cause} when ${where} fails with ${code}, outcome ${outcome}`, () => {
    assert.equal(causeOf(new RpcError(code, outcome, 'x'), isAttached), cause)
  })
}
