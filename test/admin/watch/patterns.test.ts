import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '../../../src/admin/limits.ts'
import { matcherOf, Patterns } from '../../../src/admin/watch/patterns.ts'

test('a pattern fits as its characters say', () => {
  assert.equal(matcherOf(undefined)('CP1'), true)
  assert.equal(matcherOf('*')('CP1'), true)
  assert.equal(matcherOf('CP1')('CP10'), false)
  assert.equal(matcherOf('CP?')('CP1'), true)
})

test('a pattern is refused when it has more than 64 characters or four *, and a whole identity is not', () => {
  const most = `*${'a'.repeat(62)}*`
  assert.equal(matcherOf(most)(`x${'a'.repeat(62)}`), true)
  assert.throws(() => matcherOf(`${most}?`), /64 characters/)
  assert.equal(matcherOf('*a*a*a*')('aaaa'), true)
  assert.throws(() => matcherOf('*a*a*a*a*'), /4 \*/)
  assert.equal(matcherOf('x'.repeat(255))('x'.repeat(255)), true)
})

test('a pattern set again has the new value and end, and too many are refused', t => {
  const patterns = new Patterns<number>(() => undefined)
  t.after(() => patterns.close())
  patterns.set('CP*', 1, 0, 1_000)
  patterns.set('CP*', 2, 0, 5_000)
  assert.deepEqual(
    [...patterns.of('CP1')].map(({ value, until }) => [value, until]),
    [[2, 5_000]],
  )
  for (let at = 1; at < limits.watches; at++) patterns.set(String(at), at, 0, 1_000)
  assert.throws(() => patterns.set('one more', 1, 0, 1_000), /100 patterns/)
  patterns.set('CP*', 3, 0, 1_000)
})
