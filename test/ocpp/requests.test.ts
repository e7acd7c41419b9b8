import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonText, type JsonText } from '../../src/ocpp/json.ts'
import { acceptedVatNumber, asksAboutCertificates, tokenOf } from '../../src/ocpp/requests.ts'

const idToken = { idToken: 'AB12', type: 'ISO14443' }

const authorizes: readonly (readonly [payload: object, expected: boolean, because: string])[] = [
  [{ idToken }, false, 'a card alone'],
  [{ idToken, certificate: 'PEM' }, true, 'a certificate (C07.FR.13)'],
  [{ idToken, iso15118CertificateHashData: [] }, true, 'hashes of certificates (C07.FR.14)'],
  [{ idToken: { ...idToken, certificate: 'x' } }, false, 'the field of another object'],
  [{}, false, 'no fields at all'],
]
for (const [payload, expected, because] of authorizes) {
  test(`an Authorize ${JSON.stringify(payload)} asks about certificates, ${expected}: ${because}`, () => {
    assert.equal(asksAboutCertificates(jsonText(payload)), expected)
  })
}

type Token = ReturnType<typeof tokenOf>
const events: readonly (readonly [payload: object, expected: Token, because: string])[] = [
  [{ eventType: 'Updated' }, 'none', 'no idToken'],
  [{ idToken: null }, 'none', 'null is as good as none'],
  [{ idToken }, 'open', 'the app has to decide (E01.FR.12)'],
  [{ idToken: { idToken: '', type: 'NoAuthorization' } }, 'prescribed', 'a start without authorization (C02.FR.02)'],
  [{ idToken: { idToken: '', type: 'noAuthorization' } }, 'open', 'types are case-sensitive'],
  [{ idToken: 'NoAuthorization' }, 'open', 'an idToken that is not an object'],
  [{ idToken: [] }, 'open', 'an array is not an object'],
]
for (const [payload, expected, because] of events) {
  test(`the status of a TransactionEvent ${JSON.stringify(payload)} is ${expected}: ${because}`, () => {
    assert.equal(tokenOf(jsonText(payload)), expected)
  })
}

const validations: readonly (readonly [payload: object, expected: object | null, because: string])[] = [
  [{ vatNumber: 'NL1' }, { status: 'Accepted', vatNumber: 'NL1' }, 'the number is repeated'],
  [{ vatNumber: 'NL1', evseId: 2 }, { status: 'Accepted', vatNumber: 'NL1', evseId: 2 }, 'so is the EVSE'],
  [{ vatNumber: 'NL1', evseId: 0 }, { status: 'Accepted', vatNumber: 'NL1', evseId: 0 }, 'EVSE 0 is the station'],
  [{ vatNumber: 'x'.repeat(20) }, { status: 'Accepted', vatNumber: 'x'.repeat(20) }, '20 characters are allowed'],
  [{ vatNumber: 'x'.repeat(21) }, null, '21 are not, and the answer must repeat them'],
  [{ vatNumber: 5 }, null, 'a number is not a text'],
  [{}, null, 'there is no number'],
  [{ vatNumber: 'NL1', evseId: -1 }, { status: 'Accepted', vatNumber: 'NL1' }, 'an EVSE below 0 is left out'],
  [{ vatNumber: 'NL1', evseId: 1.5 }, { status: 'Accepted', vatNumber: 'NL1' }, 'so is half an EVSE'],
  [{ vatNumber: 'NL1', evseId: '1' }, { status: 'Accepted', vatNumber: 'NL1' }, 'and a text'],
]
for (const [payload, expected, because] of validations) {
  test(`the accepting answer to VatNumberValidation ${JSON.stringify(payload)} is ${JSON.stringify(expected)}: ${because}`, () => {
    const answer = acceptedVatNumber(jsonText(payload))
    assert.deepEqual(answer === null ? null : JSON.parse(answer), expected)
  })
}

test('a payload that is not an object has no fields', () => {
  const list = '[]' as JsonText
  assert.deepEqual([asksAboutCertificates(list), tokenOf(list), acceptedVatNumber(list)], [false, 'none', null])
})
