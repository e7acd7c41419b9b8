import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAway, mayRepeat, RpcError } from '../../src/cable/rpc.ts'

test('an RpcError has its code, outcome and cause', () => {
  const cause = new Error('socket hang up')
  const error = new RpcError('unavailable', 'unknown', 'no connection', { cause })
  assert.ok(error instanceof Error)
  assert.deepEqual(
    [error.name, error.code, error.outcome, error.message, error.cause],
    ['RpcError', 'unavailable', 'unknown', 'no connection', cause],
  )
})

/** [code, outcome, isAway, mayRepeat, because] */
const failures = [
  ['unavailable', 'notRun', true, true, 'nobody was there'],
  ['unavailable', 'unknown', true, false, 'it may have run before the connection was lost'],
  ['exhausted', 'notRun', true, true, 'there was no free thread'],
  ['exhausted', 'unknown', true, false, 'an earlier attempt may have run'],
  ['timeout', 'notRun', true, true, 'there was no connection in time'],
  ['timeout', 'unknown', true, false, 'the app may be working on it'],
  ['application', 'ran', false, false, 'the app raised'],
  ['application', 'unknown', false, false, 'the app may have raised'],
  ['application', 'notRun', false, false, 'it would be refused again'],
  ['aborted', 'notRun', false, false, 'the bridge ended it'],
  ['aborted', 'unknown', false, false, 'the bridge ended it'],
] as const
for (const [code, outcome, away, repeat, because] of failures) {
  test(`isAway is ${away} and mayRepeat ${repeat} when a call is ${code}, ${outcome}: ${because}`, () => {
    const error = new RpcError(code, outcome, '')
    assert.deepEqual([isAway(error), mayRepeat(error)], [away, repeat])
  })
}

test('isLocal is true when the bridge ended the call by itself: aborted, or as it is told', () => {
  const local = [
    new RpcError('aborted', 'unknown', ''),
    new RpcError('application', 'notRun', '', { isLocal: true }),
    new RpcError('unavailable', 'notRun', ''),
    new RpcError('application', 'notRun', ''),
  ]
  assert.deepEqual(
    local.map(({ isLocal }) => isLocal),
    [true, true, false, false],
  )
})
