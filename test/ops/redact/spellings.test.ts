import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spellingsOf } from '../../../src/ops/redact/spellings.ts'

/** [bytes, a spelling of them, of what] */
const rows: readonly (readonly [string | Buffer, string, string])[] = [
  ['Key 1', 'Key 1', 'as it is'],
  ['Key 1', 'key 1', 'lower case'],
  ['Key 1', 'KEY 1', 'upper case'],
  ['a"b\\c#{d} # \t', 'a\\"b\\\\c\\#{d} # \\t', "Ruby's inspect"],
  [Buffer.from([0x9f, 0x8e, 0x7d, 0x01, 0x22, 0x1b]), '\\x9F\\x8E}\\x01\\"\\e', "Ruby's inspect of bytes"],
  ['a"b\n', 'a\\"b\\n', 'JSON'],
  ['a&b<c>\u2028', 'a\\u0026b\\u003cc\\u003e\\u2028', 'JSON of Rails'],
  [`a&b<'">`, 'a&amp;b&lt;&#39;&quot;&gt;', 'HTML'],
  ['a b/ü', 'a%20b%2F%C3%BC', 'a URL'],
  [Buffer.from([0xde, 0xad]), 'dead', 'digits'],
  [Buffer.from([0xde, 0xad]), 'DEAD', 'large digits'],
  ['a key', 'YSBrZXk', 'base64, with or without its end'],
]
for (const [bytes, spelling, because] of rows) {
  test(`${JSON.stringify(bytes.toString())} is spelled ${JSON.stringify(spelling)}: ${because}`, () => {
    assert.ok(spellingsOf(Buffer.from(bytes as string)).includes(spelling))
  })
}
