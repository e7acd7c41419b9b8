import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeyRing, type Key } from '../../../src/server/auth/key-ring.ts'

const digest = (text: string): Buffer => Buffer.from(text)

/** Hashes are `#` and the key here. */
function offer(ring: KeyRing, key: string): Key {
  const offered = ring.offer(`#${key}`, digest(key))
  assert.ok(offered)
  return offered
}

function offered(...keys: readonly string[]): KeyRing {
  const ring = new KeyRing(['#old'])
  for (const key of keys) offer(ring, key)
  return ring
}

function keyOf(ring: KeyRing, key: string): Key {
  const found = ring.find(digest(key))
  assert.ok(found)
  return found
}

test('the hashes are those of the key in use, then of the offered ones; none is dropped for a fourth', () => {
  assert.deepEqual(offered().hashes, ['#old'])
  assert.deepEqual(offered('a', 'b').hashes, ['#old', '#a', '#b'])
  const full = offered('a', 'b')
  assert.equal(full.offer('#c', digest('c')), null)
  assert.deepEqual(full.hashes, ['#old', '#a', '#b'])
  assert.equal(full.offer('#a', digest('a')), keyOf(full, 'a'), 'it has its place')
})

test('a key that is accepted or used replaces those before it, and none that came later', () => {
  const ring = offered('a', 'b')
  ring.replaceBefore(keyOf(ring, 'a'))
  assert.deepEqual(ring.hashes, ['#a', '#b'])
  ring.replaceBefore(keyOf(ring, 'b'))
  assert.deepEqual([ring.hashes, ring.find(digest('a'))], [['#b'], null])
})

test('a refused key is dropped, unless it is in use, in the file, or was offered before without an answer', () => {
  const ring = offered('a')
  ring.withdraw(keyOf(ring, 'a'))
  assert.deepEqual(ring.hashes, ['#old'])
  const b = offer(ring, 'b')
  offer(ring, 'b')
  ring.withdraw(b)
  assert.deepEqual(ring.hashes, ['#old', '#b'], 'the first command may have been carried out')
  ring.withdraw(b)
  assert.deepEqual(ring.hashes, ['#old'], 'both are refused')
  const c = offer(ring, 'c')
  ring.replaceBefore(c)
  ring.withdraw(c)
  assert.deepEqual(ring.hashes, ['#c'])
  const file = new KeyRing(['#old', '#new'])
  file.withdraw(offer(file, 'new'))
  assert.deepEqual(file.hashes, ['#old', '#new'])
})

/** [the line before, what the bridge does, the line now, the hashes, because] */
const merges: readonly (readonly [string, (ring: KeyRing) => void, string, string, string])[] = [
  ['#old', ring => offer(ring, 'a'), '#old', '#old #a', 'the file has not changed'],
  ['#old', ring => offer(ring, 'a'), '#old #K', '#old #K #a', 'both have added one'],
  ['#old', ring => offer(ring, 'a'), '#old #K #L', '#old #K #L', 'there is no room for the one that was not sent yet'],
  ['#old', ring => offer(ring, 'a'), '#K', '#K', 'an operator has replaced the key in use'],
  ['#old #a', ring => ring.replaceBefore(offer(ring, 'a')), '#old #a #K', '#a #K', 'the operator has rotated it'],
  ['#old #a', ring => ring.replaceBefore(offer(ring, 'a')), '#old', '#old', 'the operator has removed the other one'],
  ['#old #a', ring => ring.replaceBefore(offer(ring, 'a')), '#a', '#a', 'the operator has done the same'],
  ['#old', ring => ring.replaceBefore(offer(ring, 'a')), '#old #K', '#a #K', 'the one in use is the first one'],
  ['#old #a', () => undefined, '#old', '#old', 'the operator has removed one'],
]
for (const [before, act, line, expected, because] of merges) {
  test(`of "${before}", where the line is "${line}" now, "${expected}" is left: ${because}`, () => {
    const ring = new KeyRing(before.split(' '))
    act(ring)
    const merged = ring.merged(line.split(' '))
    ring.adopt(line.split(' '))
    assert.deepEqual([merged.join(' '), ring.hashes.join(' '), ring.isInFile], [expected, expected, line === expected])
  })
}

test('what is known of a key outlives a change of the line; one that an operator has written is not withdrawn', () => {
  const ring = offered('a')
  ring.adopt(['#old', '#K', '#a'])
  const a = keyOf(ring, 'a')
  ring.withdraw(a)
  assert.deepEqual(ring.hashes, ['#old', '#K', '#a'])
})

test('the latest eight wrong keys are remembered, and none when there is a new one', () => {
  const ring = offered()
  for (let at = 0; at < 9; at++) ring.addWrong(digest(String(at)))
  assert.deepEqual([ring.isWrong(digest('0')), ring.isWrong(digest('1')), ring.isWrong(digest('8'))], [false, true, true]) // prettier-ignore
  offer(ring, '8')
  assert.equal(ring.isWrong(digest('8')), false)
})
