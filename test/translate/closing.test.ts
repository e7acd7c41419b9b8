import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closeModeFor, parseCloseRule, serializeCloseRule, type CloseRule } from '../../src/translate/closing.ts'

const read: readonly (readonly [text: string, rule: CloseRule | undefined])[] = [
  ['frame', { station: '*', mode: 'frame' }],
  ['ABORT', { station: '*', mode: 'abort' }],
  ['ACME-*:abort', { station: 'ACME-*', mode: 'abort' }],
  ['a:b?:frame', { station: 'a:b?', mode: 'frame' }],
  ['ACME-*', undefined],
  [':abort', undefined],
  ['ACME:', undefined],
  ['', undefined],
]
for (const [text, rule] of read) {
  test(`an element of ocpp_close is read when it is ${JSON.stringify(text)}: ${JSON.stringify(rule)}`, () => {
    assert.deepEqual(parseCloseRule(text), rule)
    if (rule !== undefined) assert.deepEqual(parseCloseRule(serializeCloseRule(rule)), rule)
  })
}

test('the first rule whose pattern matches the whole identity applies, and a close frame where none does', () => {
  const rules: CloseRule[] = [
    { station: 'ACME-1', mode: 'frame' },
    { station: 'ACME-*', mode: 'abort' },
  ]
  const modes = ['ACME-1', 'ACME-12', 'XACME-1'].map(stationId => closeModeFor(stationId, rules))
  assert.deepEqual(modes, ['frame', 'abort', 'frame'])
})
