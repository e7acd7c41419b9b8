import assert from 'node:assert/strict'
import { test } from 'node:test'
import { itemsIn } from '../../src/rpc/items.ts'

const rows = [
  [[], 0, 'no field'],
  [[8, 1], 0, 'a number'],
  [[8, 0x80, 0x80, 1, 0x0a, 0], 1, 'a long number before a text'],
  [[0x0a, 0, 0x0a, 1, 65], 2, 'texts'],
  [[0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x15, 1, 2, 3, 4, 0x0a, 0], 1, 'fixed numbers before a text'],
  [[0x3a, 4, 0x0a, 0, 0x12, 0], 2, 'the fields of the message inside'],
  [[0x0a, 0, 0x3a, 2, 0x0a, 0, 0x3a, 2, 0x0a, 0], 3, 'a message inside that comes twice'],
  [[0x0a, 0, 0x0b, 0x0a, 0], 1, 'a type that no field has'],
  [[0x0a, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255], 1, 'a length beyond the end'],
  [[255], 0, 'a number that never ends'],
] as const
for (const [bytes, expected, because] of rows) {
  test(`[${bytes.join(' ')}] has ${expected} items: ${because}`, () => {
    assert.equal(itemsIn(Buffer.from(bytes), 7, 100), expected)
  })
}

test('counting stops beyond the limit, also inside', () => {
  const texts = Buffer.alloc(4 * 2 ** 20, Buffer.from([0x0a, 0]))
  let read = 0
  const watched = new Proxy(texts, {
    get: (target, key) => (read++, Reflect.get(target, key, target) as unknown),
  })
  assert.equal(itemsIn(watched, 7, 1_000), 1_001)
  assert.ok(read < 10_000, `${read} reads of 4 MiB`)
  const inside = Buffer.concat([Buffer.from([0x3a, 0xd0, 0x0f]), texts.subarray(0, 2_000)])
  assert.equal(itemsIn(inside, 7, 100), 101)
})
