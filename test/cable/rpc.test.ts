import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAway, mayRepeat, mergeState, RpcError } from '../../src/cable/rpc.ts'

const merges = [
  [{}, {}, {}, 'nothing to nothing'],
  [{ a: '1' }, {}, { a: '1' }, 'a reply without changes'],
  [{}, { a: '1' }, { a: '1' }, 'a new key'],
  [{ a: '1', b: '2' }, { a: '3' }, { a: '3', b: '2' }, 'a changed key leaves the others'],
  [{ a: '1', b: '2' }, { a: '' }, { b: '2' }, 'an empty value deletes'],
  [{ b: '2' }, { a: '' }, { b: '2' }, 'also what is not there'],
  [{ a: '1' }, { a: 'null' }, { a: 'null' }, 'nil is written as null, and kept'],
  [{ a: '1' }, { a: '""' }, { a: '""' }, 'an empty string is written as two quotes, and kept'],
  [{ a: '1' }, { a: '', b: '2' }, { b: '2' }, 'deleted and added in one reply'],
  [
    { $w: 's' },
    { _s_: '{}', __ltags__: '[]' },
    { $w: 's', _s_: '{}', __ltags__: '[]' },
    "AnyCable's own keys are keys",
  ],
] as const
for (const [state, changes, expected, because] of merges) {
  test(`state is merged: ${because}`, () => {
    assert.deepEqual(mergeState(state, changes), expected)
  })
}

test('merging changes neither the state before nor the reply', () => {
  const [state, changes] = [Object.freeze({ a: '1', b: '2' }), Object.freeze({ a: '', c: '3' })]
  assert.deepEqual(mergeState(state, changes), { b: '2', c: '3' })
})

for (const key of ['__proto__', 'constructor', 'toString']) {
  test(`a key ${key} is harmless, as a change, as a deletion and in the state`, () => {
    const odd = JSON.parse(`{"${key}":"x","a":"1"}`) as Record<string, string>
    const deleting = JSON.parse(`{"${key}":""}`) as Record<string, string>
    for (const merged of [
      mergeState({ b: '2' }, odd),
      mergeState(odd, { b: '2' }),
      mergeState(mergeState({ b: '2' }, odd), deleting),
    ]) {
      assert.equal(merged['b'], '2')
      assert.equal(Object.getPrototypeOf(merged), Object.prototype)
      assert.ok(Object.values(merged).every(value => typeof value === 'string'))
    }
    assert.equal(Object.hasOwn(mergeState(odd, deleting), key), false)
    assert.equal(typeof Reflect.get({}, 'toString'), 'function')
  })
}

test('an RpcError keeps what callers branch on, and its cause', () => {
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
