import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorTextsFrom, hasKey, isRepeated, isRevealing } from '../../../src/ops/redact/errors.ts'

const frames = [
  ['[4,"1","code","text",{}]', '"code","text",{}]', 'behind the id of a CALLERROR'],
  ['[5,"1","code","text",{}]', '"code","text",{}]', 'behind that of a CALLRESULTERROR'],
  [String.raw`[4,"1\",2","code"]`, '"code"]', 'an id with a quote and a comma'],
  ['\ufeff [ 4 , 17 , "code"]', ' "code"]', 'a byte order mark, spaces and an id that is a number'],
  ['[3,"1",{"value":"text"}]', '', 'a CALLRESULT has none'],
  ['[2,"1","Heartbeat",{}]', '', 'a CALL has none'],
] as const
for (const [frame, texts, because] of frames) {
  test(`the texts of an error begin where they do: ${because}`, () => {
    assert.equal(frame.slice(errorTextsFrom(frame)), texts)
  })
}

const texts = [
  [`the value ${'ff'.repeat(16)} is too short`, true, 'a key of 1.6 without a digit'],
  ['the value "a1b2c3d4e5f6a7b8" is too long', true, 'a word as long as a password of 2.x, with a digit'],
  ['no a1b2c3d4e5f6a7b', false, 'a shorter word'],
  ['PropertyConstraintViolation', false, 'a long word without a digit'],
  ['connector 1 is busy since 12:30', false, 'short numbers'],
] as const
for (const [text, expected, because] of texts) {
  test(`${text} ${expected ? 'has' : 'has no'} word that may be a key: ${because}`, () => {
    assert.equal(hasKey(text), expected)
    assert.equal(isRevealing(text), expected)
  })
}

test('a text reveals when it names a secret, whatever the words beside that', () => {
  for (const name of ['AuthorizationKey', 'BasicAuthPassword', 'passphrase', 'simPin'])
    assert.equal(isRevealing(`${name} abc has a bad length`), true, name)
})

test('a member of details repeats a value by its name', () => {
  const names = ['value', 'attributeValue', 'newValue', 'key', 'keyValue', 'authorizationKey', 'basicAuthPassword']
  assert.deepEqual(names.filter(isRepeated), names)
  assert.deepEqual(['reason', 'monkey', 'valueCount', 'status'].filter(isRepeated), [])
})

test('a long text without a key is searched in linear time', { timeout: 10_000 }, () => {
  assert.equal(hasKey('x'.repeat(1_000_000)), false)
  assert.equal(errorTextsFrom(`[4,"${String.raw`\x`.repeat(500_000)}`), 1_000_004)
  const blanks = `[4,${' '.repeat(1_000_000)}1]`
  assert.equal(errorTextsFrom(blanks), blanks.length)
})
