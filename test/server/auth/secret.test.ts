import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isRecognizable, secretIn, secretOf } from '../../../src/server/auth/secret.ts'

const basic = (user: string, key: Buffer | string): string =>
  `Basic ${Buffer.concat([Buffer.from(`${user}:`), Buffer.from(key)]).toString('base64')}`
const hex = '0001020304050607ffffffffffffffffffffffff'
const raw = Buffer.from(hex, 'hex')
const allBytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

const right: readonly (readonly [authorization: string, stationId: string, expected: Buffer, because: string])[] = [
  ['Basic QUwxMDAwOgABAgMEBQYH////////////////', 'AL1000', raw, 'the example of OCPP-J 1.6 §6.2.2'],
  [basic('AL1000', hex), 'AL1000', raw, 'a station that sends the digits'],
  [basic('AL1000', hex.toUpperCase()), 'AL1000', raw, 'in capitals'],
  [basic('CP1', 'DEADC0DE-not-hex'), 'CP1', Buffer.from('DEADC0DE-not-hex'), 'a password of 2.x'],
  [basic('CP1', 'pä:ß*wörd🔌-32'), 'CP1', Buffer.from('pä:ß*wörd🔌-32'), 'UTF-8, with a colon'],
  [basic('CP:1:', 'sixteen letters!'), 'CP:1:', Buffer.from('sixteen letters!'), 'an identity with colons (1.6)'],
  [basic('CP1', allBytes), 'CP1', allBytes, 'all bytes there are'],
  [basic('CP1', 'x').replace('Basic', 'bASIC'), 'CP1', Buffer.from('x'), 'a scheme has no case (RFC 9110 §11.1)'],
  [basic('ü', 'x'), 'ü', Buffer.from('x'), 'an identity in UTF-8'],
]
for (const [authorization, stationId, expected, because] of right) {
  test(`the secret in ${authorization} of ${stationId} is read: ${because}`, () => {
    assert.deepEqual(secretIn(authorization, stationId), expected)
  })
}

const wrong: readonly (readonly [authorization: string, because: string])[] = [
  ['', 'no header'],
  ['Basic', 'no credentials'],
  ['Basic  ', 'blanks'],
  [basic('CP1', ''), 'an empty key'],
  [basic('CP2', 'x'), 'the user is another station'],
  [basic('cp1', 'x'), 'identities are compared exactly'],
  [`Basic ${Buffer.from('CP1').toString('base64')}`, 'no colon'],
  ['Basic Q1AxOng*', 'not base64'],
  [`Bearer ${Buffer.from('CP1:x').toString('base64')}`, 'another scheme'],
  ['Digest username="CP1"', 'another scheme'],
  [basic('CP1', 'x'.repeat(257)), 'longer than any key'],
]
for (const [authorization, because] of wrong) {
  test(`there is no secret in ${JSON.stringify(authorization.slice(0, 40))}: ${because}`, () => {
    assert.equal(secretIn(authorization, 'CP1'), null)
  })
}

const forms: readonly (readonly [key: string, same: boolean, because: string])[] = [
  ['0123456789abcdef', true, '16 digits are 8 bytes'],
  ['0123456789abcde', false, 'half a byte is left'],
  ['0123456789abcd', false, 'too short for a key in digits'],
  ['ab'.repeat(64), true, '64 characters of 2.1, as digits'],
  ['ab'.repeat(65), false, 'longer than that'],
]
for (const [key, same, because] of forms) {
  test(`${key.slice(0, 20)} (${key.length}) stands ${same ? 'for bytes' : 'for itself'}: ${because}`, () => {
    assert.deepEqual(secretOf(Buffer.from(key)), same ? Buffer.from(key, 'hex') : Buffer.from(key))
  })
}

/** [key, whether it is recognized, because] */
const keys: readonly (readonly [string, boolean, string])[] = [
  ['', false, 'no key'],
  ['00112233445566', false, 'seven bytes may be sent as seven bytes, or as 14 digits'],
  ['001122334455667', true, 'a text: a digit is left'],
  ['0011223344556677', true, 'eight bytes'],
  ['ab'.repeat(64), true, '64 bytes'],
  ['ab'.repeat(65), false, '65 bytes'],
  ['x'.repeat(256), true, 'the longest that a header may hold'],
  ['ü'.repeat(129), false, '258 bytes'],
]
for (const [key, expected, because] of keys) {
  test(`${key.slice(0, 20)} (${key.length}) is ${expected ? '' : 'not '}recognized however it is sent: ${because}`, () => {
    assert.equal(isRecognizable(key), expected)
  })
}

const text = '0123456789012345'
const digits = Buffer.from(text).toString('hex')
const spellings: readonly (readonly [key: string | Buffer, because: string])[] = [
  [text, 'as the station sends it'],
  [digits, 'as 1.6 configures it'],
  [Buffer.from(digits).toString('hex').toUpperCase(), 'as the digits of these digits'],
  [Buffer.from(text, 'hex'), 'as bytes'],
]
for (const [key, because] of spellings) {
  test(`a key of bytes that are digits themselves has the same secret ${because}`, () => {
    assert.deepEqual(secretOf(Buffer.from(key)), Buffer.from(text, 'hex'))
    assert.deepEqual(secretIn(basic('CP1', key), 'CP1'), Buffer.from(text, 'hex'))
  })
}
