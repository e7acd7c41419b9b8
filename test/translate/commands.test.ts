import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Call, MessageId, Send } from '../../src/ocpp/frame.ts'
import type { JsonText } from '../../src/ocpp/json.ts'
import { versions } from '../../src/ocpp/version.ts'
import { channelAction, outcomeData, performData, type CommandOutcome } from '../../src/translate/commands.ts'
import { actionsOf, allVersions } from '../ocpp/schemas.ts'

/** Channel methods that no action from a station may perform. */
const reserved = new Set(['subscribed', 'unsubscribed', 'ack', 'error', 'receive'])

const names = [
  ['Heartbeat', 'heartbeat', 'one word'],
  ['BootNotification', 'boot_notification', 'two words'],
  ['FirmwareStatusNotification', 'firmware_status_notification', 'three words'],
  ['NotifyEVChargingNeeds', 'notify_ev_charging_needs', 'an acronym before a word'],
  ['NotifyEVChargingSchedule', 'notify_ev_charging_schedule', 'an acronym before a word'],
  ['NotifyDERStartStop', 'notify_der_start_stop', 'an acronym of three letters'],
  ['NotifyDERAlarm', 'notify_der_alarm', 'an acronym of three letters'],
  ['ReportDERControl', 'report_der_control', 'an acronym of three letters'],
  ['AFRRSignal', 'afrr_signal', 'an acronym first'],
  ['Get15118EVCertificate', 'get15118_ev_certificate', 'digits belong to the word before'],
  ['GetCertificateChainStatus', 'get_certificate_chain_status', 'four words'],
  ['VatNumberValidation', 'vat_number_validation', 'no acronym here'],
  ['ABC', 'abc', 'an acronym alone'],
  ['heartbeat', 'heartbeat', 'already underscored'],
  ['aB', 'a_b', 'single letters'],
  ['AB1Cd', 'ab1_cd', 'a digit ends an acronym'],
] as const
for (const [action, expected, because] of names) {
  test(`${action} performs ${expected}: ${because}`, () => {
    assert.equal(channelAction(action), expected)
  })
}

/** ActiveSupport's rule, letter by letter: a new word starts at a capital after a small letter or a digit, and at the
 * capital before a small letter that ends an acronym. */
function underscore(name: string): string {
  const isUpper = (at: number): boolean => /[A-Z]/.test(name.charAt(at))
  const isLower = (at: number): boolean => /[a-z]/.test(name.charAt(at))
  const isDigit = (at: number): boolean => /[0-9]/.test(name.charAt(at))
  let words = ''
  for (let at = 0; at < name.length; at++) {
    const begins = isUpper(at) && (isLower(at - 1) || isDigit(at - 1) || (isUpper(at - 1) && isLower(at + 1)))
    words += (begins ? '_' : '') + name.charAt(at).toLowerCase()
  }
  return words
}

for (const version of allVersions) {
  test(`${version}: each action has its own channel action by the rule, and none is reserved`, () => {
    const actions = [...actionsOf(version)]
    assert.equal(actions.length > 30, true)
    for (const action of actions) assert.equal(channelAction(action), underscore(action))
    assert.equal(new Set(actions.map(channelAction)).size, actions.length)
    const sent = [...Object.keys(versions[version].silentAnswers), ...versions[version].sends]
    assert.deepEqual(
      sent.filter(action => !/^[A-Za-z][A-Za-z0-9]{0,63}$/.test(action) || reserved.has(channelAction(action))),
      [],
      'a station must not perform public methods of every channel, or the methods for answers',
    )
  })
}

test('channelAction follows ActiveSupport’s rule for any name', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,20}$/), name =>
      assert.equal(channelAction(name), underscore(name)),
    ),
  )
})

const call = (id: string, action: string, payload: string): Call => ({
  kind: 'call',
  id: id as MessageId,
  action,
  payload: payload as JsonText,
})
const boot = call('"42"', 'BootNotification', '{"chargePointModel":"M"}')
const meter = call('7', 'MeterValues', '{ "v" : 2935.600, "v":1,"s":"\\u003c" }')
const stream: Send = { ...call('"s1"', 'NotifyPeriodicEventStream', '{"id":1}'), kind: 'send' }

const performs: readonly (readonly [Call | Send, boolean, number | null, string, string])[] = [
  [
    boot,
    true,
    null,
    '{"action":"boot_notification","id":"42","command":"BootNotification","payload":{"chargePointModel":"M"},"version":"1.6"}',
    'as AnyCable Pro sends it',
  ],
  [
    boot,
    false,
    null,
    '{"id":"42","command":"BootNotification","payload":{"chargePointModel":"M"},"version":"1.6"}',
    'without an action, it performs receive',
  ],
  [
    meter,
    true,
    null,
    '{"action":"meter_values","id":7,"command":"MeterValues","payload":{ "v" : 2935.600, "v":1,"s":"\\u003c" },"version":"1.6"}',
    'id and payload are unchanged',
  ],
  [
    meter,
    false,
    2,
    '{"id":7,"command":"MeterValues","payload":{ "v" : 2935.600, "v":1,"s":"\\u003c" },"version":"1.6","attempt":2}',
    'a second attempt',
  ],
  [
    boot,
    true,
    3,
    '{"action":"boot_notification","id":"42","command":"BootNotification","payload":{"chargePointModel":"M"},"version":"1.6","attempt":3}',
    'a third attempt',
  ],
  [
    stream,
    true,
    null,
    '{"action":"notify_periodic_event_stream","id":"s1","command":"NotifyPeriodicEventStream","payload":{"id":1},"version":"1.6"}',
    'a SEND performs like a CALL',
  ],
]
for (const [asked, granular, attempt, expected, because] of performs) {
  test(`performData of ${asked.action}, ${granular ? 'granular' : 'not granular'}: ${because}`, () => {
    assert.equal(performData(asked, { granular, version: '1.6' }, null, attempt === null ? {} : { attempt }), expected)
    JSON.parse(expected)
  })
}

const late = { id: '"u1"' as MessageId, request: 'Reset', late: true, failure: null }
const inTime = { ...late, late: false }
const outcomes: readonly (readonly [CommandOutcome, boolean, string, string])[] = [
  [
    { ...inTime, kind: 'ack', payload: '{ "status":"Accepted" }' as JsonText, violations: [] },
    true,
    '{"action":"ack","id":"u1","command":"Ack","payload":{ "status":"Accepted" },"request":"Reset","version":"2.0.1","sid":"sid-1"}',
    'a CALLRESULT',
  ],
  [
    { ...inTime, kind: 'ack', payload: '{}' as JsonText, violations: [] },
    false,
    '{"id":"u1","command":"Ack","payload":{},"request":"Reset","version":"2.0.1","sid":"sid-1"}',
    'a CALLRESULT for receive',
  ],
  [
    { ...inTime, origin: 'admin', kind: 'ack', payload: '{}' as JsonText, violations: [] },
    true,
    '{"action":"ack","id":"u1","command":"Ack","payload":{},"request":"Reset","origin":"admin","version":"2.0.1","sid":"sid-1"}',
    'a command of an operator',
  ],
  [
    { ...late, kind: 'ack', payload: '{"v":1.50}' as JsonText, violations: [] },
    true,
    '{"action":"ack","id":"u1","command":"Ack","payload":{"v":1.50},"request":"Reset","late":true,"version":"2.0.1","sid":"sid-1"}',
    'a late CALLRESULT',
  ],
  [
    { ...late, kind: 'ack', payload: '{}' as JsonText, violations: [] },
    false,
    '{"id":"u1","command":"Ack","payload":{},"request":"Reset","late":true,"version":"2.0.1","sid":"sid-1"}',
    'a late CALLRESULT for receive',
  ],
  [
    { ...inTime, kind: 'error', code: 'NotSupported', message: 'no', payload: '{"a":1.0}' as JsonText },
    true,
    '{"action":"error","id":"u1","command":"Error","code":"NotSupported","message":"no","payload":{"a":1.0},"request":"Reset","version":"2.0.1","sid":"sid-1"}',
    'a CALLERROR, its details as the payload',
  ],
  [
    {
      ...{ ...inTime, kind: 'error', code: 'NotSupported', message: 'no' },
      ...{ payload: '{}' as JsonText, details: '"locked"' as JsonText },
    },
    true,
    '{"action":"error","id":"u1","command":"Error","code":"NotSupported","message":"no","payload":{},"details":"locked","request":"Reset","version":"2.0.1","sid":"sid-1"}',
    'a CALLERROR whose details are not an object',
  ],
  [
    { ...inTime, failure: 'CallTimeout', kind: 'error', code: 'CallTimeout', message: '', payload: '{}' as JsonText },
    false,
    '{"id":"u1","command":"Error","code":"CallTimeout","message":"","payload":{},"request":"Reset","version":"2.0.1","sid":"sid-1"}',
    'an error of the bridge for receive',
  ],
  [
    { ...late, kind: 'error', code: 'A"\\', message: '"},\n\u2028', payload: '{}' as JsonText },
    true,
    String.raw`{"action":"error","id":"u1","command":"Error","code":"A\"\\","message":"\"},\n` +
      '\u2028' +
      String.raw`","payload":{},"request":"Reset","late":true,"version":"2.0.1","sid":"sid-1"}`,
    'text from the station is escaped',
  ],
  [
    { ...inTime, request: 'A"B', kind: 'ack', payload: '{}' as JsonText, violations: [] },
    true,
    String.raw`{"action":"ack","id":"u1","command":"Ack","payload":{},"request":"A\"B","version":"2.0.1","sid":"sid-1"}`,
    'text from the app is escaped',
  ],
]
for (const [outcome, granular, expected, because] of outcomes) {
  test(`outcomeData of an ${outcome.kind}, ${granular ? 'granular' : 'not granular'}: ${because}`, () => {
    assert.equal(outcomeData(outcome, { granular, version: '2.0.1' }, 'sid-1'), expected)
    JSON.parse(expected)
  })
}

test('performData puts the key of a transaction message before the fields of this attempt', () => {
  const data = performData(meter, { granular: true, version: '1.6' }, 'MeterValues-x_Y-1', { attempt: 2 })
  assert.match(data, /},"version":"1\.6","key":"MeterValues-x_Y-1","attempt":2}$/)
  assert.equal(data.startsWith('{"action":"meter_values","id":7,"command":"MeterValues","payload":{ "v"'), true)
})

test('performData contains the text of any payload unchanged', () => {
  const id = fc.oneof(fc.string({ unit: 'binary' }), fc.integer()).map(value => JSON.stringify(value))
  const payload = fc.object().map(value => JSON.stringify(value, null, 1))
  const action = fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,20}$/)
  fc.assert(
    fc.property(id, action, payload, fc.boolean(), (idText, name, text, granular) => {
      const data = performData(call(idText, name, text), { granular, version: '1.6' })
      assert.equal(data.includes(`"payload":${text}`), true)
      const expected = {
        id: JSON.parse(idText) as unknown,
        command: name,
        payload: JSON.parse(text) as unknown,
        version: '1.6',
      }
      assert.deepEqual(JSON.parse(data), granular ? { action: channelAction(name), ...expected } : expected)
    }),
  )
})
