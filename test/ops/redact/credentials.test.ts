import assert from 'node:assert/strict'
import { test } from 'node:test'
import { maskCredentials, maskValues } from '../../../src/ops/redact/credentials.ts'

const basic = (id: string, key: string): string => `Basic ${Buffer.from(`${id}:${key}`).toString('base64')}`
const own = basic('ERR', 'supersecretkey-42')
const [, token = ''] = own.split(' ')
const hex = `Basic ${Buffer.from('ERR:\u00de\u00ad\u00be\u00ef\u0001\u0023\u0045\u0067', 'latin1').toString('base64')}`

/** [text, the header of the call, how the text is shown, because] */
const rows: readonly (readonly [text: string, authorization: string, shown: string, because: string])[] = [
  [`no such key: ${own} (ERR:supersecretkey-42)`, own, 'no such key: Basic *** (***)', 'the header and what it means'],
  ['wrong key supersecretkey-42', own, 'wrong key ***', 'the key alone'],
  [`{"HTTP_AUTHORIZATION"=>"${token}"}`, own, '{"HTTP_AUTHORIZATION"=>"***"}', 'the header without its scheme'],
  [`basic  ${token}, BEARER ab.c-d_e~f/12`, '', 'basic ***, BEARER ***', 'headers of other stations'],
  ['token abcdefgh12 of "Bearer abcdefgh12"', 'Bearer abcdefgh12', 'token *** of "Bearer ***"', 'a token'],
  ['ERR:pw: the password pw is too short', basic('ERR', 'pw'), '***: the password pw is too short', 'a short key'],
  ['a:b', basic('a', 'b'), '***', 'the shortest pair'],
  ['HTTP status 500', 'Basic !', 'HTTP status 500', 'a header that means nothing'],
  ['database error', 'Basic ZQ==', 'database error', 'a header that is no pair'],
  ['wrong key supersecretkey-', own, 'wrong key ***', 'a text that is cut within the key'],
  [
    '401: wrong key supersec; the app expects another',
    own,
    '401: wrong key ***; the app expects another',
    'a cut, and words of the bridge',
  ],
  ['no such station CP001', basic('CP001', 'longsecretkey'), 'no such station CP001', 'the identity at the end'],
  ['no CP001:l', basic('CP001', 'longsecretkey'), 'no ***', 'a text that is cut within the pair'],
  ['no supersecretk...', own, 'no ***...', 'a text that the app has cut'],
  ['no supersecretk… (ab)', own, 'no ***… (ab)', 'a text that the app has cut, and more behind it'],
  ['no "Key\\u0026With\\u0026Amps"', basic('CP1', 'Key&With&Amps'), 'no "***"', 'JSON as Rails writes it'],
  ['no DEADBEEF01234567', hex, 'no ***', 'the digits of the bytes'],
  ['no "CP1:abc\\"defgh\\\\12345"', basic('CP1', 'abc"defgh\\12345'), 'no "CP1:***"', 'escapes'],
  ['ERR: not found', basic('ERR', ''), 'ERR: not found', 'an empty key'],
  [
    'Basic authentication failed, Bearer token missing',
    own,
    'Basic authentication failed, Bearer token missing',
    'prose',
  ],
  ['undefined method `charge!`', 'Basic', 'undefined method `charge!`', 'a header without credentials'],
]
for (const [text, authorization, shown, because] of rows) {
  test(`${text.slice(0, 40)} is shown without credentials: ${because}`, () => {
    assert.equal(maskCredentials(text, authorization), shown)
  })
}

/** [text, secrets of the message, how the text is shown, because] */
const repeated: readonly (readonly [text: string, values: readonly string[], shown: string, because: string])[] = [
  ["Couldn't find Tag with 'uid'=\"04A2B3C4\"", ['04A2B3C4'], "Couldn't find Tag with 'uid'=\"***\"", 'a tag'],
  ['no tag 04a2b3c4 or 04A2B3C4', ['04A2b3c4'], 'no tag *** or ***', 'in any case'],
  ['no tag AB12-CARD', ['AB12', 'AB12-CARD'], 'no tag ***', 'the longer one first'],
  ['tag (a.*)+[b] of a12 is bad', ['(a.*)+[b]', 'a.*2'], 'tag *** of a12 is bad', 'characters of patterns'],
  ['bad "-----BEGIN\\nMIIB"', ['-----BEGIN\nMIIB'], 'bad "***"', 'escapes'],
  ['no tag 04A2B', ['04A2B3C4'], 'no tag ***', 'a text that is cut within a tag'],
  ['401: no tag 04A2B; the app expects another', ['04A2B3C4'], '401: no tag ***; the app expects another', 'a cut one'],
  ['connector 1 of EV1 is bad', ['EV1', '1'], 'connector 1 of EV1 is bad', 'values that are too short to tell'],
  ['nil has no method', [], 'nil has no method', 'no secret'],
]
for (const [text, values, shown, because] of repeated) {
  test(`${text.slice(0, 40)} is shown without the secrets of its message: ${because}`, () => {
    assert.equal(maskValues(text, values), shown)
  })
}
