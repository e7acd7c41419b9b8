import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mergeState, RpcError } from '../../src/cable/rpc.ts'

const merges = [
  [{}, {}, {}, 'empty state and empty reply'],
  [{ a: '1' }, {}, { a: '1' }, 'a reply without changes'],
  [{}, { a: '1' }, { a: '1' }, 'a new key'],
  [{ a: '1', b: '2' }, { a: '3' }, { a: '3', b: '2' }, 'a changed key leaves the others'],
  [{ a: '1', b: '2' }, { a: '' }, { b: '2' }, 'an empty value deletes its key'],
  [{ b: '2' }, { a: '' }, { b: '2' }, 'an empty value for an absent key changes nothing'],
  [{ a: '1' }, { a: 'null' }, { a: 'null' }, "the text null (Ruby's nil) is kept"],
  [{ a: '1' }, { a: '""' }, { a: '""' }, 'a JSON empty string is kept'],
  [{ a: '1' }, { a: '', b: '2' }, { b: '2' }, 'one reply deletes and adds keys'],
  [
    { $w: 's' },
    { _s_: '{}', __ltags__: '[]' },
    { $w: 's', _s_: '{}', __ltags__: '[]' },
    "AnyCable's own keys are keys",
  ],
] as const
for (const [state, changes, expected, because] of merges) {
  test(`mergeState: ${because}`, () => {
    assert.deepEqual(mergeState(state, changes), expected)
  })
}

test('mergeState changes neither of its arguments', () => {
  const [state, changes] = [Object.freeze({ a: '1', b: '2' }), Object.freeze({ a: '', c: '3' })]
  assert.deepEqual(mergeState(state, changes), { b: '2', c: '3' })
})

for (const key of ['__proto__', 'constructor', 'toString']) {
  test(`mergeState treats the key ${key} like any other, as a change, a deletion and in the state`, () => {
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

test('an RpcError has its code, outcome and cause', () => {
  const cause = new Error('socket hang up')
  const error = new RpcError('unavailable', 'unknown', 'no connection', { cause })
  assert.ok(error instanceof Error)
  assert.deepEqual(
    [error.name, error.code, error.outcome, error.message, error.cause],
    ['RpcError', 'unavailable', 'unknown', 'no connection', cause],
  )
})
