import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setRecent } from '../../src/ops/recent.ts'

test('setRecent returns the key that it has evicted', () => {
  const map = new Map([['a', 1]])
  assert.equal(setRecent(map, 'b', 2, 2), null)
  assert.equal(setRecent(map, 'c', 3, 2), 'a')
})

type Pairs = readonly (readonly [key: string, value: number])[]

const rows: readonly (readonly [set: Pairs, limit: number, expected: Pairs, because: string])[] = [
  [[['a', 1], ['b', 2]], 2, [['a', 1], ['b', 2]], 'as many entries as the limit stay'],
  [[['a', 1], ['b', 2], ['c', 3]], 2, [['b', 2], ['c', 3]], 'the oldest entry is evicted'],
  [[['a', 1], ['b', 2], ['a', 3], ['c', 4]], 2, [['a', 3], ['c', 4]], 'an entry that is set again is the latest'],
  [[['a', 1], ['a', 2]], 1, [['a', 2]], 'an entry that is set again takes no more room'],
] // prettier-ignore
for (const [set, limit, expected, because] of rows) {
  test(`setRecent with the limit ${limit} after ${set.map(([key]) => key).join(' ')}: ${because}`, () => {
    const map = new Map<string, number>()
    for (const [key, value] of set) setRecent(map, key, value, limit)
    assert.deepEqual([...map], expected)
  })
}
