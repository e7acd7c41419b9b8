import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Held } from '../../../src/server/websocket/held.ts'

test('held messages come back in their order, and their memory with them', () => {
  const held = new Held()
  for (const text of ['a', 'bb', 'ccc']) held.push({ text, bytes: text.length })
  assert.equal(held.bytes, 6 + 3 * 100, 'each takes 100 bytes besides its text')
  assert.deepEqual([held.shift()?.text, held.shift()?.text], ['a', 'bb'])
  assert.equal(held.bytes, 3 + 100)
  assert.deepEqual([held.shift()?.text, held.shift()], ['ccc', undefined])
  assert.equal(held.bytes, 0)
})

test('clear drops what is held', () => {
  const held = new Held()
  held.push({ text: 'a', bytes: 1 })
  held.clear()
  assert.deepEqual([held.bytes, held.shift()], [0, undefined])
})
