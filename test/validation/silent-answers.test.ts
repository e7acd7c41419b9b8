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
  ['DataTransfer', '{"status":"Accepted"}', all, [], 'valid in each version that has it'],
  ['DataTransfer', '{"status":"Maybe"}', ['ocpp1.6', 'ocpp2.1'], [`${dataTransfer} 1.6: /status: enum`, `${dataTransfer} 2.1: /status: enum`], 'a line for each version served'], // prettier-ignore
  [
    'Authorize',
    '{"idTagInfo":{"status":"Accepted"}}',
    ['ocpp1.6'],
    [],
    'another version, that is not served, wants another',
  ],
  ['Authorize', '{"idTagInfo":{"status":"Accepted"}}', ['ocpp1.6', 'ocpp2.0.1'], ['ocpp_silent_answers.Authorize: not a valid answer in OCPP 2.0.1: /idTokenInfo: required; /idTagInfo: additionalProperties'], 'one answer for two versions'], // prettier-ignore
  ['BootNotification', '{"status":"Pending"}', all, [], 'the bridge fills in what leaves no choice'],
  ['StartTransaction', '{"idTagInfo":{"status":"Accepted"},"transactionId":1}', all, ['ocpp_silent_answers.StartTransaction: every transaction would get the same id; "anycable" generates one for each'], 'Stop and MeterValues quote the id'], // prettier-ignore
  ['StopTransaction', '{}', all, [], 'unknown to 2.x, and asked of 1.6 alone'],
]
for (const [action, payload, served, problems, because] of rows) {
  test(`${action} ${payload} for ${served.join(', ')}: ${because}`, () => {
    const silentAnswers = { [action]: { kind: 'payload', payload: payload as JsonText } } as const
    assert.deepEqual(silentAnswerProblems({ silentAck: 'safe', silentAnswers }, served, schemas), problems)
  })
}

test('a mode is no answer to be checked', () => {
  const silentAnswers = { Authorize: { kind: 'mode', mode: 'anycable' } } as const
  assert.deepEqual(silentAnswerProblems({ silentAck: 'safe', silentAnswers }, all, schemas), [])
})
