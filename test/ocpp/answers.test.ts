import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bootAnswer, completeAnswer, type Asked, type SilentAnswer } from '../../src/ocpp/answers.ts'
import type { JsonText } from '../../src/ocpp/json.ts'
import { versions, type Version } from '../../src/ocpp/version.ts'
import { allVersions, problemOfRequest, problemOfResponse } from './schemas.ts'

const now = '2026-11-20T20:00:00.000Z'
const asked = (payload = '{}'): Asked => ({ payload: payload as JsonText, now, heartbeatIntervalSeconds: 300 })

/** An action, its payload where the answer depends on it, the kind of its row, the answer (`null`: none), and why. */
type Row = readonly [string, string, SilentAnswer['kind'], string | null, string]

const boot: Row = [
  'BootNotification',
  '{}',
  'decision',
  `{"status":"Accepted","currentTime":"${now}","interval":300}`,
  'as AnyCable documents, but valid',
]
const heartbeat: Row = ['Heartbeat', '{}', 'local', `{"currentTime":"${now}"}`, 'the clock']
const vendor: Row = [
  'DataTransfer',
  '{}',
  'decision',
  '{"status":"UnknownVendorId"}',
  'nothing is implemented (16 §4.3, P01.FR.05)',
]
const certificate: Row = [
  'SignCertificate',
  '{}',
  'decision',
  '{"status":"Rejected"}',
  'a CertificateSigned would be promised (A02.FR.12)',
]
const emptied = (actions: string, because: string): Row[] =>
  actions.split(' ').map(action => [action, '{}', 'empty', '{}', because])

const rows16: readonly Row[] = [
  boot,
  heartbeat,
  ['Authorize', '{"idTag":"T1"}', 'decision', '{"idTagInfo":{"status":"Invalid"}}', 'gives no energy away (§4.1)'],
  ['StartTransaction', '{}', 'decision', null, 'only the app can own a transactionId (§4.8)'],
  vendor,
  certificate,
  [
    'StopTransaction',
    '{"transactionId":-1}',
    'empty',
    '{}',
    'a station that never got its id is answered all the same (errata 3.18)',
  ],
  ['MeterValues', '{"transactionId":-1}', 'empty', '{}', 'the same'],
  ...emptied('StopTransaction MeterValues StatusNotification', 'says nothing'),
  ...emptied('DiagnosticsStatusNotification FirmwareStatusNotification', 'says nothing'),
  ...emptied('SecurityEventNotification LogStatusNotification SignedFirmwareStatusNotification', 'says nothing'),
]

const token = (type: string): string => `"idToken":{"idToken":"T1","type":"${type}"}`
const hash =
  '{"hashAlgorithm":"SHA256","issuerNameHash":"n","issuerKeyHash":"k","serialNumber":"s","responderURL":"https://ocsp.example"}'
const event =
  '"eventType":"Started","timestamp":"2026-11-20T20:00:00Z","triggerReason":"Authorized","seqNo":0,"transactionInfo":{"transactionId":"t1"}'

const rows201and21: readonly Row[] = [
  boot,
  heartbeat,
  vendor,
  certificate,
  [
    'Authorize',
    `{${token('ISO14443')}}`,
    'decision',
    '{"idTokenInfo":{"status":"Unknown"}}',
    'an indication is mandatory (C01.FR.07)',
  ],
  [
    'Authorize',
    `{${token('eMAID')},"certificate":"PEM"}`,
    'decision',
    null,
    'certificateStatus is the app’s to say (C07.FR.13)',
  ],
  ['Authorize', `{${token('eMAID')},"iso15118CertificateHashData":[${hash}]}`, 'decision', null, 'the same'],
  ['TransactionEvent', `{${event}}`, 'empty', '{}', 'without an idToken nothing is decided'],
  [
    'TransactionEvent',
    `{${event},${token('ISO14443')}}`,
    'empty',
    null,
    'with one its status is mandatory, and the app’s (E01.FR.12)',
  ],
  [
    'TransactionEvent',
    `{${event},${token('NoAuthorization')}}`,
    'empty',
    '{"idTokenInfo":{"status":"Accepted"}}',
    'prescribed (C02.FR.02)',
  ],
  ['Get15118EVCertificate', '{}', 'decision', '{"status":"Failed","exiResponse":""}', 'the schema wants exiResponse'],
  ['GetCertificateStatus', '{}', 'decision', '{"status":"Failed"}', 'M06.FR.04'],
  [
    'NotifyEVChargingSchedule',
    '{}',
    'decision',
    '{"status":"Accepted"}',
    'Rejected would start a renegotiation (K15.FR.11)',
  ],
  ...emptied(
    'MeterValues StatusNotification NotifyEvent NotifyReport NotifyMonitoringReport',
    'the schema has no more',
  ),
  ...emptied('NotifyChargingLimit ClearedChargingLimit NotifyCustomerInformation', 'the schema has no more'),
  ...emptied('NotifyDisplayMessages ReportChargingProfiles ReservationStatusUpdate', 'the schema has no more'),
  ...emptied('FirmwareStatusNotification PublishFirmwareStatusNotification', 'the schema has no more'),
  ...emptied('LogStatusNotification SecurityEventNotification', 'the schema has no more'),
]

const rows: Readonly<Record<Version, readonly Row[]>> = {
  'ocpp1.6': rows16,
  'ocpp2.0.1': [
    ...rows201and21,
    [
      'NotifyEVChargingNeeds',
      '{}',
      'decision',
      '{"status":"Rejected"}',
      'a SetChargingProfile would be promised (K15.FR.04)',
    ],
  ],
  'ocpp2.1': [
    ...rows201and21,
    [
      'NotifyEVChargingNeeds',
      '{}',
      'decision',
      '{"status":"NoChargingProfile"}',
      'Rejected would end the transaction (K18.FR.22)',
    ],
    ['OpenPeriodicEventStream', '{}', 'decision', '{"status":"Rejected"}', 'nobody would read the stream (N11.FR.05)'],
    [
      'PullDynamicScheduleUpdate',
      '{}',
      'decision',
      '{"status":"Rejected"}',
      'Accepted has to hold the limits (K28.FR.07)',
    ],
    ['GetCertificateChainStatus', '{}', 'decision', null, 'a statement about somebody’s certificate (M07.FR.08)'],
    ['VatNumberValidation', '{}', 'decision', null, 'a statement about somebody’s VAT number (C18.FR.09)'],
    ...emptied('BatterySwap NotifyDERAlarm NotifyDERStartStop NotifyPriorityCharging', 'says nothing'),
    ...emptied('ReportDERControl ClosePeriodicEventStream NotifySettlement', 'says nothing'),
  ],
}

for (const version of allVersions) {
  for (const [action, payload, kind, expected, because] of rows[version]) {
    const given = payload === '{}' ? '' : ` ${payload.slice(0, 30)}`
    test(`${version}: ${action}${given} gets ${expected ?? 'no answer'}: ${because}`, () => {
      const row = versions[version].silentAnswers[action]
      assert.ok(row !== undefined, 'the row')
      assert.equal(row.kind, kind)
      assert.equal(row.answer(asked(payload)), expected)
      if (expected !== null) assert.equal(problemOfResponse(version, action, expected), null)
    })
  }

  test(`${version}: each action that a station sends has its row here`, () => {
    const here = new Set(rows[version].map(([action]) => action))
    assert.deepEqual([...here].sort(), Object.keys(versions[version].silentAnswers).sort())
  })
}

for (const version of ['ocpp2.0.1', 'ocpp2.1'] as const) {
  test(`${version}: the requests on which an answer depends are such as a station may send`, () => {
    const dependent = rows[version].filter(([, payload]) => payload !== '{}')
    assert.equal(dependent.length, 6)
    for (const [action, payload] of dependent) assert.equal(problemOfRequest(version, action, payload), null)
  })
}

const oddRequests: readonly (readonly [string, string, string | null, string])[] = [
  ['TransactionEvent', '{"idToken":null}', '{}', 'null is no idToken'],
  ['TransactionEvent', '{"idToken":"T1"}', null, 'an idToken that cannot be read is the app’s to decide on'],
  ['TransactionEvent', '{"idToken":{}}', null, 'one without a type, too'],
  ['TransactionEvent', '{"idToken":["NoAuthorization"]}', null, 'and a list'],
  ['TransactionEvent', '{"idToken":{"type":"noauthorization"}}', null, 'types are case-sensitive'],
  [
    'TransactionEvent',
    '{"idToken":{"type":"Central"},"idToken":{"type":"NoAuthorization"}}',
    '{"idTokenInfo":{"status":"Accepted"}}',
    'of equal keys the last one counts',
  ],
  ['TransactionEvent', '{"transactionInfo":{"idToken":{"type":"Central"}}}', '{}', 'only the outermost idToken counts'],
  ['TransactionEvent', '{"__proto__":{"idToken":{"type":"Central"}}}', '{}', 'none comes in by __proto__'],
  ['TransactionEvent', '{"idToken":{"__proto__":{"type":"NoAuthorization"}}}', null, 'nor does a type'],
  [
    'Authorize',
    '{}',
    '{"idTokenInfo":{"status":"Unknown"}}',
    'a request without an idToken, which is not for this place',
  ],
  [
    'Authorize',
    '{"__proto__":{"certificate":"PEM"}}',
    '{"idTokenInfo":{"status":"Unknown"}}',
    'no certificate comes in by __proto__',
  ],
]
for (const [action, payload, expected, because] of oddRequests) {
  test(`${action} ${payload} gets ${expected ?? 'no answer'}: ${because}`, () => {
    for (const version of ['ocpp2.0.1', 'ocpp2.1'] as const)
      assert.equal(versions[version].silentAnswers[action]?.answer(asked(payload)), expected)
  })
}

test('the schemas do reject: AnyCable’s literal default fits 2 of 14, 5 of 25 and 7 of 36 actions', () => {
  const fitting = allVersions.map(version => {
    const actions = Object.keys(versions[version].silentAnswers)
    return [
      actions.filter(action => problemOfResponse(version, action, '{"status":"Accepted"}') === null).length,
      actions.length,
    ]
  })
  assert.deepEqual(fitting, [
    [2, 14],
    [5, 25],
    [7, 36],
  ])
})

for (const status of ['Accepted', 'Pending', 'Rejected'] as const) {
  test(`a boot that is ${status} has a clock and an interval`, () => {
    const answer = bootAnswer(status, 45, asked())
    assert.equal(answer, `{"status":"${status}","currentTime":"${now}","interval":45}`)
    for (const version of allVersions) assert.equal(problemOfResponse(version, 'BootNotification', answer), null)
  })
}

const clock = `"currentTime":"${now}"`
const completed: readonly (readonly [string, string, string, string])[] = [
  [
    'BootNotification',
    '{"status":"Accepted"}',
    `{"status":"Accepted",${clock},"interval":300}`,
    'a status alone, as on AnyCable’s page',
  ],
  [
    'BootNotification',
    '{"status":"Accepted","interval":60}',
    `{"status":"Accepted","interval":60,${clock}}`,
    'the app’s interval stays',
  ],
  [
    'BootNotification',
    `{"status":"Accepted","currentTime":"2026-01-02T03:04:05.000Z"}`,
    '{"status":"Accepted","currentTime":"2026-01-02T03:04:05.000Z","interval":300}',
    'so does its clock',
  ],
  [
    'BootNotification',
    `{"currentTime":"x","interval":0,"status":"Rejected"}`,
    `{"currentTime":"x","interval":0,"status":"Rejected"}`,
    'nothing is missing, whatever it says',
  ],
  ['BootNotification', ' { "status" : "Pending" } ', `{ "status" : "Pending" ,${clock},"interval":300}`, 'white space'],
  [
    'BootNotification',
    '{"currentTime":null,"status":"Accepted","interval":null}',
    `{"status":"Accepted",${clock},"interval":300}`,
    'a nil of Ruby is left out',
  ],
  ['BootNotification', '{}', `{${clock},"interval":300}`, 'the status is the app’s to give'],
  ['BootNotification', '{ }', `{${clock},"interval":300}`, 'an empty object with white space'],
  [
    'BootNotification',
    '{"status":"Accepted","x":{"interval":1,"currentTime":"y"}}',
    `{"status":"Accepted","x":{"interval":1,"currentTime":"y"},${clock},"interval":300}`,
    'only the outermost members count',
  ],
  [
    'BootNotification',
    '{"status":"Acc}epted","v":1.50}',
    `{"status":"Acc}epted","v":1.50,${clock},"interval":300}`,
    'brackets in strings, and the rest byte for byte',
  ],
  [
    'BootNotification',
    String.raw`{"status":"Accepted","\u0069nterval":60}`,
    String.raw`{"status":"Accepted","\u0069nterval":60,${clock}}`,
    'an escaped key is the key it spells',
  ],
  ['Heartbeat', '{}', `{${clock}}`, 'an empty Ack'],
  [
    'Heartbeat',
    '{"currentTime":"2026-01-02T03:04:05.000Z"}',
    '{"currentTime":"2026-01-02T03:04:05.000Z"}',
    'the app’s clock stays',
  ],
  [
    'Heartbeat',
    '{"customData":{"vendorId":"V"}}',
    `{"customData":{"vendorId":"V"},${clock}}`,
    'beside what else there is',
  ],
  ['Authorize', '{}', '{}', 'of other actions nothing is known for certain'],
  ['StatusNotification', '{"status":"Accepted"}', '{"status":"Accepted"}', 'nor taken away'],
  ['GetCertificateStatus', '{ "status" : "Accepted" }', '{ "status" : "Accepted" }', 'byte for byte'],
]
for (const [action, payload, expected, because] of completed) {
  test(`${action}: ${payload} is completed: ${because}`, () => {
    assert.equal(completeAnswer(action, payload as JsonText, asked()), expected)
    JSON.parse(expected)
  })
}
