import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonText } from '../../src/ocpp/json.ts'
import { versions, type Version } from '../../src/ocpp/version.ts'
import type { SilentSettings } from '../../src/translate/answers.ts'
import {
  confirmationFor,
  isDecidable,
  needsDecision,
  tokenStatusOf,
  transactionIdOf,
} from '../../src/translate/stored.ts'

const token = { idToken: 'A', type: 'Central' }
const decisions: readonly (readonly [action: string, payload: object, expected: boolean, because: string])[] = [
  ['StopTransaction', {}, false, 'the CSMS cannot prevent a stop'],
  ['StopTransaction', { idTag: 'A' }, false, 'idTagInfo is optional'],
  ['MeterValues', {}, false, 'its answer is empty'],
  ['StartTransaction', { idTag: 'A' }, true, 'the app gives the transaction its id'],
  ['TransactionEvent', { eventType: 'Started' }, false, 'nobody has to be authorized'],
  ['TransactionEvent', { eventType: 'Updated', idToken: null }, false, 'null is no token'],
  ['TransactionEvent', { eventType: 'Started', idToken: token }, true, 'the app authorizes the token'],
  ['TransactionEvent', { eventType: 'Updated', idToken: token }, true, 'the app authorizes the token'],
  [
    'TransactionEvent',
    { eventType: 'Updated', idToken: { ...token, type: 'NoAuthorization' } },
    true,
    'it has a token',
  ],
  ['TransactionEvent', { eventType: 'Started', idToken: token, offline: true }, false, 'it has happened already'],
  ['TransactionEvent', { eventType: 'Started', idToken: token, offline: false }, true, 'it happens now'],
  ['TransactionEvent', { eventType: 'Started', idToken: token, offline: 'true' }, true, 'a text is no truth'],
  ['TransactionEvent', { eventType: 'Ended', idToken: token }, false, 'it has ended already'],
  ['Authorize', {}, true, 'no transaction message'],
  ['toString', {}, true, 'no action'],
]
for (const [action, payload, expected, because] of decisions) {
  test(`${action} ${JSON.stringify(payload)} ${expected ? 'needs' : 'needs no'} decision of the app: ${because}`, () => {
    assert.equal(needsDecision(action, jsonText(payload)), expected)
  })
}

test('each transaction message of each version is named in the rows above', () => {
  const named = new Set(decisions.map(([action]) => action))
  for (const { transactionMessages } of Object.values(versions))
    for (const action of transactionMessages.keys()) assert.ok(named.has(action), action)
})

const settings: SilentSettings = { silentAck: 'safe', silentAnswers: {} }
const own = { kind: 'payload', payload: jsonText({ idTagInfo: { status: 'Invalid' } }) } as const
const confirmations: readonly (readonly [Version, string, object, SilentSettings, object])[] = [
  ['ocpp1.6', 'StopTransaction', { idTag: 'A' }, settings, {}],
  ['ocpp1.6', 'MeterValues', {}, { ...settings, silentAck: 'off' }, {}],
  [
    'ocpp1.6',
    'StopTransaction',
    {},
    { ...settings, silentAnswers: { StopTransaction: own } },
    { idTagInfo: { status: 'Invalid' } },
  ],
  ['ocpp2.0.1', 'TransactionEvent', { eventType: 'Updated' }, settings, {}],
  [
    'ocpp2.0.1',
    'TransactionEvent',
    { eventType: 'Ended', idToken: token },
    settings,
    { idTokenInfo: { status: 'Accepted' } },
  ],
  ['ocpp2.1', 'TransactionEvent', { offline: true, idToken: token }, settings, { idTokenInfo: { status: 'Accepted' } }],
  ['ocpp2.1', 'MeterValues', {}, settings, {}],
  [
    'ocpp2.0.1',
    'TransactionEvent',
    { eventType: 'Started', idToken: token },
    settings,
    { idTokenInfo: { status: 'Accepted' } },
  ],
  [
    'ocpp1.6',
    'StartTransaction',
    { idTag: 'A' },
    settings,
    { idTagInfo: { status: 'Accepted' }, transactionId: 2_000_000_000 },
  ],
]
for (const [version, action, payload, given, expected] of confirmations) {
  test(`${version} ${action} ${JSON.stringify(payload)} is confirmed with ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(JSON.parse(confirmationFor(action, version, jsonText(payload), given, 2_000_000_000)), expected)
  })
}

test('the status of a token is read from an answer of each version', () => {
  assert.equal(tokenStatusOf(jsonText({ idTagInfo: { status: 'Blocked' } })), 'Blocked')
  assert.equal(tokenStatusOf(jsonText({ idTokenInfo: { status: 'Accepted' } })), 'Accepted')
  for (const answer of [{}, { idTagInfo: 'Blocked' }, { idTagInfo: {} }])
    assert.equal(tokenStatusOf(jsonText(answer)), null)
})

for (const [action, expected] of [
  ['StartTransaction', true],
  ['TransactionEvent', true],
  ['Authorize', false],
  ['DataTransfer', false],
] as const) {
  test(`${action} ${expected ? 'may' : 'may not'} be accepted for the app`, () => {
    assert.equal(isDecidable(action), expected)
  })
}

test('the transaction id of an answer is read as text, and null is none', () => {
  assert.equal(transactionIdOf(jsonText({ transactionId: 7 })), '7')
  assert.equal(transactionIdOf(jsonText({ transactionId: null })), null)
  assert.equal(transactionIdOf(jsonText({})), null)
})
