import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorCodeOf, errorCodes, type ErrorCode } from '../../src/ocpp/errors.ts'
import { faults, quiet, spoken, spokenButTypes } from '../../src/ocpp/faults.ts'
import { versions } from '../../src/ocpp/version.ts'

/** The codes of OCPP-J 1.6 table 7 and OCPP 2.x Part 4 table 8 (2.1: table 9), verbatim. */
const spellings: readonly (readonly [ErrorCode, string, string])[] = [
  ['NotImplemented', 'NotImplemented', 'the same in both'],
  ['NotSupported', 'NotSupported', 'the same in both'],
  ['InternalError', 'InternalError', 'the same in both'],
  ['ProtocolError', 'ProtocolError', 'the same in both'],
  ['SecurityError', 'SecurityError', 'the same in both'],
  ['FormatViolation', 'FormationViolation', '1.6 keeps the misspelling (errata 2025-04 §5.1)'],
  ['PropertyConstraintViolation', 'PropertyConstraintViolation', 'the same in both'],
  [
    'OccurrenceConstraintViolation',
    'OccurenceConstraintViolation',
    '1.6 keeps the spelling with one r (errata 2025-04 §5.2)',
  ],
  ['TypeConstraintViolation', 'TypeConstraintViolation', 'the same in both'],
  ['GenericError', 'GenericError', 'the same in both'],
  ['MessageTypeNotSupported', 'NotSupported', '1.6 has no such code'],
  ['RpcFrameworkError', 'FormationViolation', '1.6 has no such code'],
]
for (const [code, in16, because] of spellings) {
  test(`${code} is spelled ${in16} in 1.6: ${because}`, () => {
    assert.equal(versions['ocpp1.6'].spell(code), in16)
    assert.equal(versions['ocpp2.0.1'].spell(code), code)
    assert.equal(versions['ocpp2.1'].spell(code), code)
  })
}

test('every error code has a row in this table', () => {
  assert.deepEqual(
    Object.keys(errorCodes),
    spellings.map(([code]) => code),
  )
})

const words = [
  ['NotImplemented', 'NotImplemented', 'a code of both versions'],
  ['FormatViolation', 'FormatViolation', 'a code of 2.x'],
  ['FormationViolation', 'FormatViolation', 'a code of 1.6, which also stands in for RpcFrameworkError there'],
  ['OccurenceConstraintViolation', 'OccurrenceConstraintViolation', 'one r, in any version'],
  ['OccurrenceConstraintViolation', 'OccurrenceConstraintViolation', 'two r, in any version'],
  ['NotSupported', 'NotSupported', 'a code of both, which also stands in for MessageTypeNotSupported in 1.6'],
  ['RpcFrameworkError', 'RpcFrameworkError', 'a code that 1.6 does not have'],
  ['Timeout', null, 'a code that OCPP does not have'],
  ['internalerror', null, 'codes are case-sensitive'],
  ['', null, 'an empty code'],
  ['toString', null, 'an inherited property is not a code'],
  ['__proto__', null, 'an inherited property is not a code'],
] as const
for (const [word, expected, because] of words) {
  test(`errorCodeOf(${JSON.stringify(word)}) is ${expected ?? 'null'}: ${because}`, () => {
    assert.equal(errorCodeOf(word), expected)
  })
}

test('each fault has a short description that quotes nothing of the message', () => {
  for (const words of Object.values(faults)) assert.match(words, /^[A-Za-z0-9 ,-]{10,255}$/)
})

test('2.0.1 answers every fault, 2.1 all but unknown types, 1.6 none without a readable id', () => {
  const silent = (codes: Readonly<Record<string, ErrorCode | null>>): string[] =>
    Object.keys(codes).filter(fault => codes[fault] === null)
  assert.deepEqual(silent(spoken), [])
  assert.deepEqual(silent(spokenButTypes), ['unknownType'])
  assert.deepEqual(silent(quiet), ['notJson', 'notArray', 'noType', 'unknownType', 'noId'])
})
