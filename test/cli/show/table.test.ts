import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aligned, tabbed } from '../../../src/cli/show/table.ts'

test('aligned pads each column to its widest cell, and no line has spaces at its end', () => {
  assert.deepEqual(aligned(['A', 'B'], [['long', 'x'], ['😀', '']]), ['A     B', 'long  x', '😀']) // prettier-ignore
})

test('aligned cuts lines at the edge of the screen', () => {
  assert.deepEqual(aligned(['A', 'B'], [['12345', '67890']], 8), ['A      B', '12345  …'])
})

test('aligned and tabbed escape what a station has sent', () => {
  assert.deepEqual(aligned(['A'], [['\u001b[2J']]), ['A', '\\u001b[2J'])
  assert.equal(tabbed(['a\tb', 'c\n']), 'a\\u0009b\tc\\u000a')
})
