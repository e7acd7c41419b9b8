import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeyRing } from '../../../src/server/auth/key-ring.ts'

const digest = (text: string): Buffer => Buffer.from(text)

/** Hashes are `#` and the key here. */
function offered(...keys: readonly string[]): KeyRing {
  const ring = new KeyRing(['#old'])
  for (const key of keys) ring.setHash(ring.offer(digest(key)), `#${key}`)
  return ring
}

test('the hashes are those of the key in use, then of the offered ones', () => {
  assert.deepEqual(offered().hashes, ['#old'])
  assert.deepEqual(offered('a', 'b').hashes, ['#old', '#a', '#b'])
  assert.deepEqual(offered('a', 'b', 'c').hashes, ['#old', '#b', '#c'])
})

test('a key that is not hashed yet has no place in the file; while it is the only one, the file stays', () => {
  const ring = offered('a')
  const key = ring.offer(digest('b'))
  assert.deepEqual(ring.hashes, ['#old', '#a'])
  ring.replaceBy(key)
  assert.deepEqual(ring.hashes, [])
  ring.setHash(key, '#b')
  assert.deepEqual(ring.hashes, ['#b'])
})

test('the key that is used replaces all others', () => {
  const ring = offered('a', 'b')
  const key = ring.find(digest('a'))
  assert.ok(key)
  ring.replaceBy(key)
  assert.deepEqual([ring.hashes, ring.find(digest('b'))], [['#a'], null])
})

test('an offered key is withdrawn, unless it is in use; one of the file stays', () => {
  const ring = offered('a')
  const a = ring.find(digest('a'))
  assert.ok(a)
  ring.withdraw(a)
  assert.deepEqual(ring.hashes, ['#old'])
  const b = ring.offer(digest('b'))
  ring.setHash(b, '#b')
  ring.replaceBy(b)
  ring.withdraw(b)
  assert.deepEqual(ring.hashes, ['#b'])
  const file = new KeyRing(['#old', '#new'])
  file.setHash(file.offer(digest('new')), '#new')
  const twin = file.find(digest('new'))
  assert.ok(twin)
  file.withdraw(twin)
  assert.deepEqual(file.hashes, ['#old', '#new'])
})

test('the latest eight wrong keys are remembered, and none when there is a new one', () => {
  const ring = offered()
  for (let at = 0; at < 9; at++) ring.addWrong(digest(String(at)))
  assert.deepEqual([ring.isWrong(digest('0')), ring.isWrong(digest('1')), ring.isWrong(digest('8'))], [false, true, true]) // prettier-ignore
  ring.offer(digest('8'))
  assert.equal(ring.isWrong(digest('8')), false)
})
