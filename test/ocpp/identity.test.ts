import assert from 'node:assert/strict'
import { test } from 'node:test'
import { factOf } from '../../src/ocpp/identity.ts'
import { membersOf } from '../../src/ocpp/json.ts'
import { versions, type Version } from '../../src/ocpp/version.ts'

function fact(version: Version, action: string, payload: object | string) {
  const identity = versions[version].transactionMessages.get(action)
  assert.ok(identity, `${action} is no transaction message`)
  return factOf(identity, membersOf(typeof payload === 'string' ? payload : JSON.stringify(payload)))
}

const timestamp = '2026-01-02T03:04:05Z'
const start = { connectorId: 1, idTag: 'A', meterStart: 5, timestamp }
const stop = { transactionId: 7, meterStop: 9, timestamp, idTag: 'A' }
const values = { connectorId: 1, transactionId: 7, meterValue: [{ timestamp, sampledValue: [{ value: '5' }] }] }
const event = { eventType: 'Updated', seqNo: 3, timestamp, transactionInfo: { transactionId: 'T' } }
const values2 = { evseId: 1, meterValue: [{ timestamp, sampledValue: [{ value: 5 }] }] }

/** [version, action, payload, one that differs, whether it is the same fact, because] */
const rows: readonly (readonly [Version, string, object, object, boolean, string])[] = [
  ['ocpp1.6', 'StartTransaction', start, { ...start, connectorId: 2 }, false, 'another connector'],
  ['ocpp1.6', 'StartTransaction', start, { ...start, idTag: 'B' }, false, 'another card'],
  ['ocpp1.6', 'StartTransaction', start, { ...start, meterStart: 6 }, false, 'another meter reading'],
  ['ocpp1.6', 'StartTransaction', start, { ...start, timestamp: '2026-01-02T03:04:06Z' }, false, 'another time'],
  ['ocpp1.6', 'StartTransaction', start, { ...start, reservationId: 6 }, true, 'a field that identifies nothing'],
  ['ocpp1.6', 'StopTransaction', stop, { ...stop, transactionId: 8 }, false, 'another transaction'],
  ['ocpp1.6', 'StopTransaction', stop, { ...stop, idTag: 'B' }, false, 'another card'],
  ['ocpp1.6', 'StopTransaction', stop, { ...stop, idTag: undefined }, false, 'no card'],
  ['ocpp1.6', 'StopTransaction', stop, { ...stop, transactionData: [] }, true, 'data that may be large'],
  [
    'ocpp1.6',
    'StopTransaction',
    { ...stop, transactionId: -1 },
    { ...stop, transactionId: -1, meterStop: 10 },
    false,
    'two stops without a transactionId, by their meters',
  ],
  ['ocpp1.6', 'MeterValues', values, { ...values, connectorId: 2 }, false, 'another connector'],
  ['ocpp1.6', 'MeterValues', values, { ...values, transactionId: undefined }, false, 'no transaction'],
  ['ocpp1.6', 'MeterValues', values, { ...values, transactionId: null }, false, 'null for no transaction'],
  [
    'ocpp1.6',
    'MeterValues',
    { ...values, transactionId: undefined },
    { ...values, transactionId: null },
    true,
    'null is as good as absent',
  ],
  [
    'ocpp1.6',
    'MeterValues',
    values,
    { ...values, meterValue: [{ timestamp, sampledValue: [{ value: '5.0' }] }] },
    false,
    'another value: 1.6 has texts for values',
  ],
  ['ocpp2.0.1', 'TransactionEvent', event, { ...event, offline: true }, true, 'a retry may be offline no more'],
  ['ocpp2.0.1', 'TransactionEvent', event, { ...event, seqNo: 4 }, false, 'another number'],
  [
    'ocpp2.1',
    'TransactionEvent',
    event,
    { ...event, transactionInfo: { transactionId: 'U' } },
    false,
    'another transaction',
  ],
  [
    'ocpp2.1',
    'TransactionEvent',
    event,
    { ...event, transactionInfo: { chargingState: 'Idle', transactionId: 'T' } },
    true,
    'another state of the same transaction',
  ],
  ['ocpp2.0.1', 'MeterValues', values2, { ...values2, evseId: 2 }, false, 'another EVSE'],
  ['ocpp2.1', 'MeterValues', values2, { ...values2, meterValue: [] }, false, 'other values'],
]
for (const [version, action, one, other, isSame, because] of rows) {
  test(`${version} ${action}: ${isSame ? 'the same fact' : 'another fact'} with ${because}`, () => {
    const [first, second] = [fact(version, action, one), fact(version, action, other)]
    assert.equal(first.isCertain, true)
    assert.equal(first.text === second.text, isSame)
  })
}

test('a transactionId beyond double precision keeps all its digits', () => {
  const [one, other] = ['9223372036854775807', '9223372036854775806'].map(id =>
    fact('ocpp1.6', 'StopTransaction', `{"transactionId":${id},"meterStop":1,"timestamp":"${timestamp}"}`),
  )
  assert.notEqual(one?.text, other?.text)
})

/** [version, action, payload, because] */
const uncertain: readonly (readonly [Version, string, object, string])[] = [
  ['ocpp1.6', 'StartTransaction', {}, 'nothing of it is there'],
  ['ocpp1.6', 'StartTransaction', { ...start, idTag: undefined }, 'a required field is absent'],
  ['ocpp1.6', 'StartTransaction', { ...start, meterStart: null }, 'a required field is null'],
  ['ocpp2.0.1', 'TransactionEvent', { ...event, transactionInfo: 'T' }, 'the transaction cannot be read'],
  ['ocpp2.0.1', 'TransactionEvent', { ...event, transactionInfo: {} }, 'the transaction has no id'],
  ['ocpp2.0.1', 'MeterValues', { evseId: 1, meterValue: [] }, 'there is no time'],
  [
    'ocpp1.6',
    'MeterValues',
    {
      ...values,
      meterValue: [...values.meterValue, { timestamp: '1970-01-01T00:00:00Z', sampledValue: [] }],
    },
    'one of several times is implausible',
  ],
  ...['1970-01-01T00:00:07Z', '1980-01-06T00:00:00Z', '2000-01-01T00:10:00Z', '2015-12-31T23:59:59Z'].map(
    time => ['ocpp1.6', 'StartTransaction', { ...start, timestamp: time }, `the clock was never set: ${time}`] as const,
  ),
  ...['2106-02-07T06:28:15Z', '2100-01-01T00:00:00Z', '', 'yesterday', '2026-13-45T00:00:00Z', 7, [timestamp]].map(
    time =>
      [
        'ocpp1.6',
        'StopTransaction',
        { ...stop, timestamp: time },
        `the time is implausible: ${JSON.stringify(time)}`,
      ] as const,
  ),
]
for (const [version, action, payload, because] of uncertain) {
  test(`${version} ${action} is not identified by its fields alone: ${because}`, () => {
    assert.equal(fact(version, action, payload).isCertain, false)
  })
}

test('times from the first release of OCPP 1.6 on, with any zone or none, are plausible', () => {
  for (const time of ['2016-01-01T00:00:00Z', '2026-01-02T03:04:05.678+05:30', '2026-01-02T03:04:05', '2099-12-31Z'])
    assert.equal(fact('ocpp1.6', 'StartTransaction', { ...start, timestamp: time }).isCertain, true, time)
})

test('a fact is the same whether its parts are parsed again or not', () => {
  const readings = [
    { value: '1', unit: 'Wh' },
    { unit: 'Wh', value: '2' },
    { a: 1.5, '10': 'x', '9': null },
  ]
  const payload = {
    connectorId: 1,
    transactionId: { z: 1, y: [] },
    meterValue: [{ timestamp, sampledValue: readings }],
  }
  const identity = versions['ocpp1.6'].transactionMessages.get('MeterValues')
  assert.ok(identity)
  const { text } = factOf(identity, membersOf(JSON.stringify(payload)), payload)
  assert.equal(text, fact('ocpp1.6', 'MeterValues', payload).text)
  assert.match(
    text,
    /"sampledValue":\[\{"unit":"Wh","value":"1"\},\{"unit":"Wh","value":"2"\},\{"9":null,"10":"x","a":1.5\}\]/,
  )
  assert.match(text, /"transactionId":\{"y":\[\],"z":1\}$/)
})

test('a member named __proto__ is part of the fact', () => {
  const [one, other] = ['1', '2'].map(
    value => fact('ocpp1.6', 'MeterValues', `{"connectorId":1,"meterValue":[{"__proto__":{"value":${value}}}]}`).text,
  )
  assert.notEqual(one, other)
})

test('one meterValue is read where the schema has a list', () => {
  const [meterValue] = values.meterValue
  assert.equal(fact('ocpp1.6', 'MeterValues', { ...values, meterValue }).isCertain, true)
})

test('a text that looks like a member is not read as a time', () => {
  const idTag = '"timestamp":"1970-01-01T00:00:00Z"'
  assert.equal(fact('ocpp1.6', 'StartTransaction', { ...start, idTag }).isCertain, true)
})

test('a fact has no line feed, whatever is in its fields', () => {
  const { text } = fact(
    'ocpp1.6',
    'MeterValues',
    JSON.stringify({ ...values, connectorId: { 'a\n': ['\n'] } }, null, 2),
  )
  assert.doesNotMatch(text, /\n/)
})
