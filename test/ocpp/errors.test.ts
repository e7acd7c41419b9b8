import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorCodeOf, errorCodes, type ErrorCode } from '../../src/ocpp/errors.ts'
import { faults, quiet, spoken, spokenButTypes } from '../../src/ocpp/faults.ts'
import { versions } from '../../src/ocpp/version.ts'

/** OCPP-J 1.6 table 7 and OCPP 2.x Part 4 table 8 (2.1: table 9), word for word. */
const spellings: readonly (readonly [ErrorCode, string, string])[] = [
  ['NotImplemented', 'NotImplemented', 'the same in both'],
  ['NotSupported', 'NotSupported', 'the same in both'],
  ['InternalError', 'InternalError', 'the same in both'],
  ['ProtocolError', 'ProtocolError', 'the same in both'],
  ['SecurityError', 'SecurityError', 'the same in both'],
  ['FormatViolation', 'FormationViolation', '1.6 misspells it for good (errata 2025-04 §5.1)'],
  ['PropertyConstraintViolation', 'PropertyConstraintViolation', 'the same in both'],
  ['OccurrenceConstraintViolation', 'OccurenceConstraintViolation', '1.6 has one r for good (errata 2025-04 §5.2)'],
  ['TypeConstraintViolation', 'TypeConstraintViolation', 'the same in both'],
  ['GenericError', 'GenericError', 'the same in both'],
  ['MessageTypeNotSupported', 'NotSupported', '1.6 has no such code'],
  ['RpcFrameworkError', 'FormationViolation', '1.6 has no such code'],
]
for (const [code, in16, because] of spellings) {
  test(`${code} is ${in16} in 1.6: ${because}`, () => {
    assert.equal(versions['ocpp1.6'].spell(code), in16)
    assert.equal(versions['ocpp2.0.1'].spell(code), code)
    assert.equal(versions['ocpp2.1'].spell(code), code)
  })
}

test('each code has its row here', () => {
  assert.deepEqual(
    Object.keys(errorCodes),
    spellings.map(([code]) => code),
  )
})

const words = [
  ['NotImplemented', 'NotImplemented', 'a word of both'],
  ['FormatViolation', 'FormatViolation', 'a word of 2.x'],
  ['FormationViolation', 'FormatViolation', 'a word of 1.6; not RpcFrameworkError, which 1.6 only borrows it for'],
  ['OccurenceConstraintViolation', 'OccurrenceConstraintViolation', 'one r, from whichever version'],
  ['OccurrenceConstraintViolation', 'OccurrenceConstraintViolation', 'two r, from whichever version'],
  ['NotSupported', 'NotSupported', 'not MessageTypeNotSupported, which 1.6 only borrows it for'],
  ['RpcFrameworkError', 'RpcFrameworkError', 'a word that 1.6 has not'],
  ['Timeout', null, 'a word that OCPP has not'],
  ['internalerror', null, 'codes are case-sensitive'],
  ['', null, 'no word at all'],
  ['toString', null, 'what objects inherit is no code'],
  ['__proto__', null, 'nor is this'],
] as const
for (const [word, expected, because] of words) {
  test(`${word || 'the empty word'} means ${expected ?? 'no code'}: ${because}`, () => {
    assert.equal(errorCodeOf(word), expected)
  })
}

test('each fault has words, short and without anything of the message', () => {
  for (const words of Object.values(faults)) assert.match(words, /^[A-Za-z0-9 ,-]{10,255}$/)
})

test('2.0.1 answers every fault, 2.1 all but the unknown type, 1.6 none whose id is not known', () => {
  const silent = (codes: Readonly<Record<string, ErrorCode | null>>): string[] =>
    Object.keys(codes).filter(fault => codes[fault] === null)
  assert.deepEqual(silent(spoken), [])
  assert.deepEqual(silent(spokenButTypes), ['unknownType'])
  assert.deepEqual(silent(quiet), ['notJson', 'notArray', 'noType', 'unknownType', 'noId'])
})
