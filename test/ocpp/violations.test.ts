import assert from 'node:assert/strict'
import { test } from 'node:test'
import { versions, type Version } from '../../src/ocpp/version.ts'
import { violationCode, violationsInWords, type Violation } from '../../src/ocpp/violations.ts'

/** [violated rule, error code in 1.6, error code in 2.0.1 and 2.1] */
const rows: readonly (readonly [string, string, string])[] = [
  ['required', 'OccurenceConstraintViolation', 'OccurrenceConstraintViolation'],
  ['minItems', 'OccurenceConstraintViolation', 'OccurrenceConstraintViolation'],
  ['maxItems', 'OccurenceConstraintViolation', 'OccurrenceConstraintViolation'],
  ['type', 'TypeConstraintViolation', 'TypeConstraintViolation'],
  ['enum', 'PropertyConstraintViolation', 'PropertyConstraintViolation'],
  ['maxLength', 'PropertyConstraintViolation', 'PropertyConstraintViolation'],
  ['format', 'PropertyConstraintViolation', 'PropertyConstraintViolation'],
  ['minimum', 'PropertyConstraintViolation', 'PropertyConstraintViolation'],
  ['maximum', 'PropertyConstraintViolation', 'PropertyConstraintViolation'],
  ['multipleOf', 'PropertyConstraintViolation', 'PropertyConstraintViolation'],
  ['additionalProperties', 'FormationViolation', 'ProtocolError'],
  ['constructor', 'PropertyConstraintViolation', 'PropertyConstraintViolation'],
]
const spelled = (version: Version, violation: Violation): string =>
  versions[version].spell(violationCode(versions[version].violations, violation))

for (const [rule, in16, in2] of rows) {
  test(`a violation of ${rule} is a ${in16} in 1.6 and a ${in2} in 2.x`, () => {
    assert.equal(spelled('ocpp1.6', { path: '/a', rule }), in16)
    assert.equal(spelled('ocpp2.0.1', { path: '/a', rule }), in2)
    assert.equal(spelled('ocpp2.1', { path: '/a', rule }), in2)
  })
}

test('a payload that is not an object is a FormatViolation', () => {
  const violation = { path: '', rule: 'type' }
  assert.equal(spelled('ocpp1.6', violation), 'FormationViolation')
  assert.equal(spelled('ocpp2.0.1', violation), 'FormatViolation')
  assert.equal(spelled('ocpp2.1', violation), 'FormatViolation')
})

/** [violations, their description, because] */
const sentences: readonly (readonly [readonly Violation[], string, string])[] = [
  [[], '', 'no violation gives an empty text'],
  [[{ path: '', rule: 'type' }], 'payload: type', 'an empty path is written as payload'],
  [
    [
      { path: '/meterValue/0/timestamp', rule: 'format' },
      { path: '/connectorId', rule: 'required' },
    ],
    '/meterValue/0/timestamp: format; /connectorId: required',
    'several violations are joined',
  ],
]
for (const [violations, words, because] of sentences) {
  test(`violationsInWords: ${because}`, () => assert.equal(violationsInWords(violations), words))
}
