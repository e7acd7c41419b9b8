import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonText } from '../../src/ocpp/json.ts'
import type { Version } from '../../src/ocpp/version.ts'
import { openSchemas } from '../../src/validation/schemas.ts'
import { silentAnswerProblems } from '../../src/validation/silent-answers.ts'

const schemas = openSchemas()
const all: readonly Version[] = ['ocpp1.6', 'ocpp2.0.1', 'ocpp2.1']
const dataTransfer = 'ocpp_silent_answers.DataTransfer: not a valid answer in OCPP'

const rows: readonly [string, string, readonly Version[], readonly string[], string][] = [
  ['DataTransfer', '{"status":"Accepted"}', all, [], 'valid in every version'],
  ['DataTransfer', '{"status":"Maybe"}', ['ocpp1.6', 'ocpp2.1'], [`${dataTransfer} 1.6: /status: enum`, `${dataTransfer} 2.1: /status: enum`], 'one line per served version'], // prettier-ignore
  ['Authorize', '{"idTagInfo":{"status":"Accepted"}}', ['ocpp1.6'], [], 'versions that are not served are not checked'],
  ['Authorize', '{"idTagInfo":{"status":"Accepted"}}', ['ocpp1.6', 'ocpp2.0.1'], ['ocpp_silent_answers.Authorize: not a valid answer in OCPP 2.0.1: /idTokenInfo: required; /idTagInfo: additionalProperties'], 'an answer must be valid in every served version'], // prettier-ignore
  ['BootNotification', '{"status":"Pending"}', all, [], 'the bridge completes the answer before validation'],
  ['StartTransaction', '{"idTagInfo":{"status":"Accepted"},"transactionId":1}', all, ['ocpp_silent_answers.StartTransaction: every transaction would get the same id; "anycable" generates one for each'], 'a fixed transaction id is rejected'], // prettier-ignore
  ['StopTransaction', '{}', all, [], '2.x does not have the action, so only 1.6 is checked'],
]
for (const [action, payload, served, problems, because] of rows) {
  test(`the silent answer ${action} ${payload} for ${served.join(', ')}: ${because}`, () => {
    const silentAnswers = { [action]: { kind: 'payload', payload: payload as JsonText } } as const
    assert.deepEqual(silentAnswerProblems({ silentAck: 'safe', silentAnswers }, served, schemas), problems)
  })
}

test('a mode in place of a payload is not validated', () => {
  const silentAnswers = { Authorize: { kind: 'mode', mode: 'anycable' } } as const
  assert.deepEqual(silentAnswerProblems({ silentAck: 'safe', silentAnswers }, all, schemas), [])
})
