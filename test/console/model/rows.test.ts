import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawnRows, pagesOf } from '../../../src/console/model/rows.ts'

const rows = [
  [0, 400, 10_000, { from: 0, to: 22 }, 'at the top'],
  [4_000, 400, 10_000, { from: 88, to: 122 }, 'in the middle'],
  [399_600, 400, 10_000, { from: 9_978, to: 10_000 }, 'at the end'],
  [4_000, 400, 5, { from: 5, to: 5 }, 'after the list has become short'],
  [0, 400, 0, { from: 0, to: 0 }, 'an empty list'],
] as const
for (const [scrolled, height, total, expected, because] of rows) {
  test(`of ${total} rows, ${expected.from} to ${expected.to} are drawn when ${scrolled} px are scrolled: ${because}`, () => {
    assert.deepEqual(drawnRows(scrolled, height, 40, total), expected)
  })
}

test('the pages of some rows are those that hold them; the first one is always needed', () => {
  assert.deepEqual(pagesOf({ from: 190, to: 210 }, 200), [0, 1])
  assert.deepEqual(pagesOf({ from: 200, to: 400 }, 200), [1])
  assert.deepEqual(pagesOf({ from: 0, to: 0 }, 200), [0])
})
