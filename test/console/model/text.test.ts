import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesText, countText, numberText, visible } from '../../../src/console/model/text.ts'

const rows = [
  ['<b>CP1</b>', '<b>CP1</b>', 'markup is text for lit-html, and stays'],
  ['a\u202eb', 'a\\u202eb', 'a character that turns the direction of text around'],
  ['a\nb\u0000', 'a\\u000ab\\u0000', 'control characters'],
  ['a\u200bb', 'a\\u200bb', 'a character without a width'],
  ['Straße 日本 🚗', 'Straße 日本 🚗', 'letters of all kinds'],
] as const
for (const [text, expected, because] of rows) {
  test(`${JSON.stringify(text)} is shown as ${expected}: ${because}`, () => {
    assert.equal(visible(text), expected)
  })
}

test('numbers and sizes have their separators and units', () => {
  assert.deepEqual([numberText(10_000), numberText(0.25), numberText(3)], ['10,000', '0.3', '3'])
  assert.deepEqual(
    [countText(1, 'error'), countText(2, 'error'), countText(0, 'reply', 'replies')],
    ['1 error', '2 errors', '0 replies'],
  )
  assert.deepEqual([bytesText(12), bytesText(1536), bytesText(5 * 1024 ** 2)], ['12 B', '1.5 KiB', '5 MiB'])
})
