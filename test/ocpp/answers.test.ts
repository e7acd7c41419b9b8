import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bootAnswer, completeAnswer, type Asked, type SilentAnswer } from '../../src/ocpp/answers.ts'
import type { JsonText } from '../../src/ocpp/json.ts'
import { silentAnswerFor, versions, type Version } from '../../src/ocpp/version.ts'
import { actionsOf, allVersions, problemOfRequest, problemOfResponse } from './schemas.ts'

const now = '2026-11-20T20:00:00.000Z'
const minted = 2 ** 31 - 1
const asked = (payload = '{}', transactionId: number | null = minted): Asked => ({
  payload: payload as JsonText,
  now,
  heartbeatIntervalSeconds: 300,
  transactionId,
})

/** [action, payload if the answer depends on it, kind, safe answer, accepting answer (`null`: none), because] */
type Row = readonly [
  action: string,
  payload: string,
  kind: SilentAnswer['kind'],
  safe: string | null,
  anycable: string | null,
  because: string,
]

const bothWays = (
  action: string,
  payload: string,
  kind: SilentAnswer['kind'],
  answer: string | null,
  why: string,
): Row => [action, payload, kind, answer, answer, why]
const emptied = (actions: string, because: string): Row[] =>
  actions.split(' ').map(action => bothWays(action, '{}', 'empty', '{}', because))

const rowsOfAll: readonly Row[] = [
  bothWays(
    'BootNotification',
    '{}',
    'default',
    `{"status":"Accepted","currentTime":"${now}","interval":300}`,
    'as AnyCable documents it, with the missing fields',
  ),
  bothWays('Heartbeat', '{}', 'local', `{"currentTime":"${now}"}`, 'the clock'),
  [
    'DataTransfer',
    '{}',
    'decision',
    '{"status":"UnknownVendorId"}',
    '{"status":"Accepted"}',
    'the vendor is not supported (1.6 §4.3, P01.FR.05)',
  ],
  [
    'SignCertificate',
    '{}',
    'decision',
    '{"status":"Rejected"}',
    '{"status":"Accepted"}',
    'Accepted would promise a CertificateSigned (A02.FR.12)',
  ],
  ...emptied('StatusNotification FirmwareStatusNotification', 'says nothing'),
  ...emptied('LogStatusNotification SecurityEventNotification', 'says nothing'),
]

const rows16: readonly Row[] = [
  ...rowsOfAll,
  [
    'Authorize',
    '{"idTag":"T1"}',
    'decision',
    '{"idTagInfo":{"status":"Invalid"}}',
    '{"idTagInfo":{"status":"Accepted"}}',
    'the safe answer gives no energy away (§4.1)',
  ],
  [
    'StartTransaction',
    '{}',
    'decision',
    null,
    `{"idTagInfo":{"status":"Accepted"},"transactionId":${minted}}`,
    'a transactionId needs an app that assigns or receives it (§4.8)',
  ],
  bothWays(
    'StopTransaction',
    '{"transactionId":-1,"idTag":"T1","meterStop":0,"timestamp":"2026-11-20T20:00:00Z"}',
    'empty',
    '{}',
    'a station without a transaction id is answered too (errata 3.18), without an idTagInfo',
  ),
  bothWays(
    'MeterValues',
    '{"transactionId":-1,"connectorId":1,"meterValue":[]}',
    'empty',
    '{}',
    'a station without a transaction id is answered too (errata 3.18)',
  ),
  ...emptied('DiagnosticsStatusNotification SignedFirmwareStatusNotification', 'says nothing'),
]

const token = (type: string): string => `"idToken":{"idToken":"T1","type":"${type}"}`
const hash =
  '{"hashAlgorithm":"SHA256","issuerNameHash":"n","issuerKeyHash":"k","serialNumber":"s","responderURL":"https://ocsp.example"}'
const event =
  '"eventType":"Started","timestamp":"2026-11-20T20:00:00Z","triggerReason":"Authorized","seqNo":0,"transactionInfo":{"transactionId":"t1"}'
const acceptedToken = '{"idTokenInfo":{"status":"Accepted"}}'
const acceptedCertificate = '{"idTokenInfo":{"status":"Accepted"},"certificateStatus":"Accepted"}'

const rows201and21: readonly Row[] = [
  ...rowsOfAll,
  [
    'Authorize',
    `{${token('ISO14443')}}`,
    'decision',
    '{"idTokenInfo":{"status":"Unknown"}}',
    acceptedToken,
    'a status is mandatory (C01.FR.07)',
  ],
  [
    'Authorize',
    `{${token('eMAID')},"certificate":"PEM"}`,
    'decision',
    null,
    acceptedCertificate,
    'only the app knows the certificateStatus (C07.FR.13)',
  ],
  [
    'Authorize',
    `{${token('eMAID')},"iso15118CertificateHashData":[${hash}]}`,
    'decision',
    null,
    acceptedCertificate,
    'only the app knows the certificateStatus (C07.FR.13)',
  ],
  bothWays('TransactionEvent', `{${event}}`, 'empty', '{}', 'without an idToken nothing is decided'),
  [
    'TransactionEvent',
    `{${event},${token('ISO14443')}}`,
    'empty',
    null,
    acceptedToken,
    'the status of an idToken is mandatory, and only the app knows it (E01.FR.12)',
  ],
  bothWays(
    'TransactionEvent',
    `{${event},${token('NoAuthorization')}}`,
    'empty',
    acceptedToken,
    'the spec prescribes the status (C02.FR.02)',
  ),
  bothWays(
    'Get15118EVCertificate',
    '{}',
    'decision',
    '{"status":"Failed","exiResponse":""}',
    'the schema requires an exiResponse, which cannot be made up',
  ),
  bothWays('GetCertificateStatus', '{}', 'decision', '{"status":"Failed"}', 'nor an ocspResult (M06.FR.04)'),
  bothWays(
    'NotifyEVChargingSchedule',
    '{}',
    'decision',
    '{"status":"Accepted"}',
    'Rejected would start a renegotiation (K15.FR.11)',
  ),
  ...emptied('MeterValues NotifyEvent NotifyReport NotifyMonitoringReport', 'the schema has no more'),
  ...emptied('NotifyChargingLimit ClearedChargingLimit NotifyCustomerInformation', 'the schema has no more'),
  ...emptied('NotifyDisplayMessages ReportChargingProfiles ReservationStatusUpdate', 'the schema has no more'),
  ...emptied('PublishFirmwareStatusNotification', 'the schema has no more'),
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
      '{"status":"Accepted"}',
      'Accepted would promise a SetChargingProfile (K15.FR.04)',
    ],
  ],
  'ocpp2.1': [
    ...rows201and21,
    [
      'NotifyEVChargingNeeds',
      '{}',
      'decision',
      '{"status":"NoChargingProfile"}',
      '{"status":"Accepted"}',
      'Rejected would end the transaction (K18.FR.22)',
    ],
    [
      'OpenPeriodicEventStream',
      '{}',
      'decision',
      '{"status":"Rejected"}',
      '{"status":"Accepted"}',
      'the app may never read the stream (N11.FR.05)',
    ],
    bothWays(
      'PullDynamicScheduleUpdate',
      '{}',
      'decision',
      '{"status":"Rejected"}',
      'Accepted must include the limits (K28.FR.07)',
    ),
    bothWays(
      'GetCertificateChainStatus',
      '{}',
      'decision',
      null,
      'any answer would state the status of a certificate (M07.FR.08)',
    ),
    [
      'VatNumberValidation',
      '{"vatNumber":"NL123"}',
      'decision',
      null,
      '{"status":"Accepted","vatNumber":"NL123"}',
      'any answer would state the status of a VAT number (C18.FR.09)',
    ],
    [
      'VatNumberValidation',
      '{"vatNumber":"12345678901234567890","evseId":0}',
      'decision',
      null,
      '{"status":"Accepted","vatNumber":"12345678901234567890","evseId":0}',
      'the answer repeats the request’s fields',
    ],
    ...emptied('BatterySwap NotifyDERAlarm NotifyDERStartStop NotifyPriorityCharging', 'says nothing'),
    ...emptied('ReportDERControl ClosePeriodicEventStream NotifySettlement', 'says nothing'),
  ],
}

function rowOf(version: Version, action: string): SilentAnswer {
  const row = silentAnswerFor(versions[version], action)
  assert.ok(row !== null, `${version}: ${action} has a row`)
  return row
}

for (const version of allVersions) {
  for (const [action, payload, kind, safe, anycable, because] of rows[version]) {
    const given = payload === '{}' ? '' : ` ${payload.slice(0, 30)}`
    test(`${version}: ${action}${given} gets ${safe ?? 'no answer'}, accepting ${anycable ?? 'none'}: ${because}`, () => {
      const row = rowOf(version, action)
      assert.equal(row.kind, kind)
      assert.equal(row.safe(asked(payload)), safe)
      assert.equal(row.anycable(asked(payload)), anycable)
      assert.equal(row.safe(asked(payload, null)), safe, 'no safe answer depends on a minted id')
      for (const answer of [safe, anycable])
        if (answer !== null) assert.equal(problemOfResponse(version, action, answer), null)
      if (payload !== '{}') assert.equal(problemOfRequest(version, action, payload), null, 'a station may send it')
    })
  }

  test(`${version}: each action that a station sends has a row in the source and in this test`, () => {
    const { toStation, sends } = versions[version]
    const sent = [...actionsOf(version)].filter(action => !toStation.has(action) && !sends.has(action))
    const expected = [...sent, 'DataTransfer'].sort()
    assert.deepEqual(Object.keys(versions[version].silentAnswers).sort(), expected)
    assert.deepEqual([...new Set(rows[version].map(([action]) => action))].sort(), expected)
  })

  test(`${version}: only StartTransaction mints an id, and is not accepted without one`, () => {
    const minting = Object.entries(versions[version].silentAnswers).filter(([, row]) => row.mintsTransactionId)
    assert.deepEqual(
      minting.map(([action]) => action),
      version === 'ocpp1.6' ? ['StartTransaction'] : [],
    )
    for (const [, row] of minting) assert.equal(row.anycable(asked('{}', null)), null)
  })

  test(`${version}: the answer to any request is valid`, () => {
    const value = fc.oneof(
      fc.string(),
      fc.string({ minLength: 21, maxLength: 30 }),
      fc.double({ noNaN: true }),
      fc.integer(),
      fc.constantFrom(null, true, [], {}, { type: 'NoAuthorization' }, { type: 'Central' }),
    )
    const names = ['idToken', 'certificate', 'iso15118CertificateHashData', 'vatNumber', 'evseId', 'transactionId']
    const request = fc.dictionary(fc.constantFrom(...names), value)
    const action = fc.constantFrom(...Object.keys(versions[version].silentAnswers))
    fc.assert(
      fc.property(action, request, (action, request) => {
        const row = rowOf(version, action)
        for (const answer of [row.safe, row.anycable]) {
          const payload = answer(asked(JSON.stringify(request)))
          if (payload !== null) assert.equal(problemOfResponse(version, action, payload), null)
        }
      }),
      { numRuns: 1000 },
    )
  })
}

/** [malformed request, safe answer, accepting answer, because] */
const oddRequests: readonly (readonly [string, string, string | null, string | null, string])[] = [
  ['TransactionEvent', '{"idToken":null}', '{}', '{}', 'null counts as no idToken'],
  ['TransactionEvent', '{"idToken":"T1"}', null, acceptedToken, 'one that cannot be read is the app’s to decide on'],
  ['TransactionEvent', '{"idToken":{}}', null, acceptedToken, 'one without a type, too'],
  ['TransactionEvent', '{"idToken":["NoAuthorization"]}', null, acceptedToken, 'and a list'],
  ['TransactionEvent', '{"idToken":{"type":"noauthorization"}}', null, acceptedToken, 'types are case-sensitive'],
  [
    'TransactionEvent',
    '{"idToken":{"type":"Central"},"idToken":{"type":"NoAuthorization"}}',
    acceptedToken,
    acceptedToken,
    'the last of equal keys counts',
  ],
  [
    'TransactionEvent',
    '{"transactionInfo":{"idToken":{"type":"Central"}}}',
    '{}',
    '{}',
    'only the outermost idToken counts',
  ],
  [
    'TransactionEvent',
    '{"__proto__":{"idToken":{"type":"Central"}}}',
    '{}',
    '{}',
    'an idToken in __proto__ is ignored',
  ],
  ['TransactionEvent', '{"idToken":{"__proto__":{"type":"NoAuthorization"}}}', null, acceptedToken, 'nor does a type'],
  ['Authorize', '{}', '{"idTokenInfo":{"status":"Unknown"}}', acceptedToken, 'a missing idToken is not checked here'],
  [
    'Authorize',
    '{"__proto__":{"certificate":"PEM"}}',
    '{"idTokenInfo":{"status":"Unknown"}}',
    acceptedToken,
    'a certificate in __proto__ is ignored',
  ],
]
const oddNumbers: typeof oddRequests = [
  ['VatNumberValidation', '{}', null, null, 'no number to say again'],
  ['VatNumberValidation', '{"vatNumber":123}', null, null, 'one that is no text'],
  ['VatNumberValidation', '{"vatNumber":"123456789012345678901"}', null, null, 'one that is too long for the answer'],
  ...['-1', '1.5', '"1"', 'null'].map(
    evseId =>
      [
        'VatNumberValidation',
        `{"vatNumber":"NL1","evseId":${evseId}}`,
        null,
        '{"status":"Accepted","vatNumber":"NL1"}',
        'an evseId that is invalid in the answer is omitted',
      ] as const,
  ),
]
const odd = [
  ...(['ocpp2.0.1', 'ocpp2.1'] as const).flatMap(version => oddRequests.map(row => [version, ...row] as const)),
  ...oddNumbers.map(row => ['ocpp2.1', ...row] as const),
]
for (const [version, action, payload, safe, anycable, because] of odd) {
  test(`${version}: ${action} ${payload} gets ${safe ?? 'no answer'}, accepting ${anycable ?? 'none'}: ${because}`, () => {
    assert.equal(rowOf(version, action).safe(asked(payload)), safe)
    assert.equal(rowOf(version, action).anycable(asked(payload)), anycable)
  })
}

test('AnyCable’s literal default is valid for 2 of 14, 5 of 25 and 7 of 36 actions', () => {
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

/** Actions whose schema allows a bare status, though accepting requires more. */
const unaccepted = ['PullDynamicScheduleUpdate', 'GetCertificateStatus', 'Get15118EVCertificate']
for (const version of allVersions) {
  test(`${version}: the accepting answer is the bare status if the schema allows it, except for ${unaccepted.join(', ')}`, () => {
    for (const action of Object.keys(versions[version].silentAnswers)) {
      if (problemOfResponse(version, action, '{"status":"Accepted"}') !== null || unaccepted.includes(action)) continue
      assert.equal(rowOf(version, action).anycable(asked()), '{"status":"Accepted"}', action)
    }
  })
}

for (const status of ['Accepted', 'Pending', 'Rejected'] as const) {
  test(`the answer to a boot that is ${status} has a time and an interval`, () => {
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
    'a bare status gets both fields, as in AnyCable’s documentation',
  ],
  [
    'BootNotification',
    '{"status":"Accepted","interval":60}',
    `{"status":"Accepted","interval":60,${clock}}`,
    'the app’s interval is kept',
  ],
  [
    'BootNotification',
    `{"status":"Accepted","currentTime":"2026-01-02T03:04:05.000Z"}`,
    '{"status":"Accepted","currentTime":"2026-01-02T03:04:05.000Z","interval":300}',
    'the app’s time is kept',
  ],
  [
    'BootNotification',
    `{"currentTime":"x","interval":0,"status":"Rejected"}`,
    `{"currentTime":"x","interval":0,"status":"Rejected"}`,
    'an answer with both fields is unchanged',
  ],
  ['BootNotification', ' { "status" : "Pending" } ', `{ "status" : "Pending" ,${clock},"interval":300}`, 'white space'],
  [
    'BootNotification',
    '{"currentTime":null,"status":"Accepted","interval":null}',
    `{"status":"Accepted",${clock},"interval":300}`,
    'null counts as missing',
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
    'the rest of the answer is unchanged, with brackets in strings',
  ],
  [
    'BootNotification',
    String.raw`{"status":"Accepted","\u0069nterval":60}`,
    String.raw`{"status":"Accepted","\u0069nterval":60,${clock}}`,
    'an escaped key is recognised',
  ],
  ['Heartbeat', '{}', `{${clock}}`, 'an empty Ack'],
  [
    'Heartbeat',
    '{"currentTime":"2026-01-02T03:04:05.000Z"}',
    '{"currentTime":"2026-01-02T03:04:05.000Z"}',
    'the app’s time is kept',
  ],
  [
    'Heartbeat',
    '{"customData":{"vendorId":"V"}}',
    `{"customData":{"vendorId":"V"},${clock}}`,
    'other members are kept',
  ],
  ['Authorize', '{}', '{}', 'other actions are not completed'],
  ['StatusNotification', '{"status":"Accepted"}', '{"status":"Accepted"}', 'no member is removed'],
  ['GetCertificateStatus', '{ "status" : "Accepted" }', '{ "status" : "Accepted" }', 'the text is unchanged'],
]
for (const [action, payload, expected, because] of completed) {
  test(`completeAnswer of ${action} ${payload}: ${because}`, () => {
    assert.equal(completeAnswer(action, payload as JsonText, asked()), expected)
    JSON.parse(expected)
  })
}
