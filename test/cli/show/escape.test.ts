import assert from 'node:assert/strict'
import { test } from 'node:test'
import { escaped } from '../../../src/cli/show/escape.ts'

const rows = [
  ['CP1 Straße 充电', 'CP1 Straße 充电', 'text of any language stays'],
  ['\u001b[2J', '\\u001b[2J', 'a terminal sequence'],
  ['\u009b31m', '\\u009b31m', 'the same in one character'],
  ['a\r\nb\tc\u0000', 'a\\u000d\\u000ab\\u0009c\\u0000', 'control characters'],
  ['\u202eabc\u2066', '\\u202eabc\\u2066', 'the direction of text'],
  ['a\u200bb\ufeff', 'a\\u200bb\\ufeff', 'characters of no width'],
  ['a\u2028b\u2029', 'a\\u2028b\\u2029', 'separators of lines'],
  ['\ud800', '\\ud800', 'half a character'],
  ['😀', '😀', 'a whole one'],
  ['\u{e0041}', '\\udb40\\udc41', 'a tag beyond 16 bits, as two units'],
  ['\ue000', '\\ue000', 'a private character'],
] as const
for (const [text, expected, because] of rows) {
  test(`escaped leaves nothing to the terminal: ${because}`, () => {
    assert.equal(escaped(text), expected)
  })
}

test('escaped keeps line breaks in a text of several lines', () => {
  assert.equal(escaped('a\nb\u001b\r', { keepsLines: true }), 'a\nb\\u001b\\u000d')
})

test('escaped JSON is the same JSON', () => {
  const value = { 'a\u009b': '\u202e', b: '\u{e0041}' }
  assert.deepEqual(JSON.parse(escaped(JSON.stringify(value))), value)
})
