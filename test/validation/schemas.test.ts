import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { mock, test } from 'node:test'
import { queryObjects } from 'node:v8'
import { createValidator } from 'ocpp-rpc'
import { jsonText, type JsonText } from '../../src/ocpp/json.ts'
import { versions, type Version } from '../../src/ocpp/version.ts'
import { violationsInWords } from '../../src/ocpp/violations.ts'
import { openSchemas } from '../../src/validation/schemas.ts'
import { allVersions } from '../ocpp/schemas.ts'
import { brokenBy, exampleOf, type Schema } from './examples.ts'

const schemas = openSchemas()
const require = createRequire(import.meta.url)
const officialOf = (version: Version): readonly Schema[] =>
  require(`ocpp-rpc/lib/schemas/${versions[version].schemas.file}.json`) as Schema[]

/** The number of schemas in the specs. */
const totals: Readonly<Record<Version, number>> = { 'ocpp1.6': 78, 'ocpp2.0.1': 128, 'ocpp2.1': 181 }

/** The action and message kind of a schema, derived from its name independently of the source. */
function messageOf({ $id }: Schema): readonly [string, 'request' | 'response'] {
  const [, action = '', suffix = ''] = /^urn:(.+?)(\.req|\.conf|Request|Response|)$/.exec($id) ?? []
  return [action, suffix === '.conf' || suffix === 'Response' ? 'response' : 'request']
}

for (const version of allVersions) {
  const official = officialOf(version)
  const check = (schema: Schema, payload: unknown) =>
    schemas.violations(version, ...messageOf(schema), jsonText(payload))

  test(`${version}: each of the ${totals[version]} schemas accepts a valid payload`, () => {
    assert.equal(official.length, totals[version])
    for (const schema of official) {
      assert.deepEqual(check(schema, exampleOf(schema, true)), [], `${schema.$id} with every field`)
      assert.deepEqual(check(schema, exampleOf(schema, false)), [], `${schema.$id} with what it must have`)
      assert.deepEqual(check(schema, []), [{ path: '', rule: 'type' }], `${schema.$id} is looked at`)
    }
  })

  test(`${version}: every rule of every schema is enforced, as by an independent validator`, t => {
    t.mock.method(console, 'warn', () => {}) // the other validator's Ajv warns about unknown keywords
    const other = createValidator(version, [...official])
    const isTakenByOther = (schema: Schema, payload: unknown): boolean => {
      try {
        return other.validate(schema.$id, payload) !== false
      } catch {
        return false
      }
    }
    let count = 0
    for (const schema of official) {
      assert.ok(isTakenByOther(schema, exampleOf(schema, true)), `${schema.$id}: the other one takes what is valid`)
      for (const { payload, violation } of brokenBy(schema)) {
        const [first, ...more] = check(schema, payload)
        const where = `${schema.$id} ${violation.path} ${violation.rule}`
        assert.deepEqual(first, violation, where)
        assert.deepEqual(
          more.filter(({ path }) => path !== violation.path),
          [],
          `${where}: nothing else is wrong`,
        )
        assert.equal(isTakenByOther(schema, JSON.parse(JSON.stringify(payload))), false, `${where}: the other one`)
        count++
      }
    }
    t.diagnostic(`${count} broken payloads`)
    assert.ok(count > official.length, 'there are more ways to break than schemas')
  })
}

const sampled = (unit: string): string =>
  `{"connectorId":1,"meterValue":[{"timestamp":"2026-11-20T20:00:00Z","sampledValue":[{"value":"1","unit":${unit}}]}]}`
const at = (timestamp: string): string =>
  `{"connectorId":1,"meterValue":[{"timestamp":${timestamp},"sampledValue":[{"value":"1"}]}]}`
const limit = (value: string): string =>
  `{"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":${value}}]}}}`
const event = (fields: string): string =>
  `{"eventType":"Started","timestamp":"2026-11-20T20:00:00Z","triggerReason":"Authorized","seqNo":0,"transactionInfo":{"transactionId":"1"}${fields}}`
const format = '/meterValue/0/timestamp: format'
const multiple = '/csChargingProfiles/chargingSchedule/chargingSchedulePeriod/0/limit: multipleOf'
const stream = '{"id":1,"pending":0,"basetime":"2026-11-20T20:00:00Z","data":[{"t":0.5,"v":"1"}]}'

/** [version, action, payload of a request, its violations, because] */
const rows: readonly (readonly [Version, string, string, string, string])[] = [
  ['ocpp1.6', 'SetChargingProfile', limit('0.3'), '', 'valid, though 0.3 / 0.1 is 2.9999999999999996'],
  ['ocpp1.6', 'SetChargingProfile', limit('0.6'), '', 'valid, though 0.6 / 0.1 is 5.999999999999999'],
  ['ocpp1.6', 'SetChargingProfile', limit('0.7'), '', 'valid, though 0.7 / 0.1 is 6.999999999999999'],
  ['ocpp1.6', 'SetChargingProfile', limit('32'), '', 'a whole number'],
  ['ocpp1.6', 'SetChargingProfile', limit('0.75'), multiple, 'one digit too many'],
  ['ocpp1.6', 'SetChargingProfile', limit('1e999'), multiple.replace('multipleOf', 'type'), 'infinity is not a number'],
  ['ocpp1.6', 'MeterValues', sampled('"Celsius"'), '', 'the correct spelling'],
  ['ocpp1.6', 'MeterValues', sampled('"Celcius"'), '', 'the original spelling of 1.6 (errata §2.1)'],
  [
    'ocpp1.6',
    'MeterValues',
    sampled('"celsius"'),
    '/meterValue/0/sampledValue/0/unit: enum',
    'enums are case-sensitive',
  ],
  [
    'ocpp1.6',
    'MeterValues',
    sampled('null'),
    '/meterValue/0/sampledValue/0/unit: type; /meterValue/0/sampledValue/0/unit: enum',
    'null for an optional field',
  ],
  ['ocpp1.6', 'MeterValues', at('"2026-11-20T20:00:00"'), '', 'a time without a zone'],
  ['ocpp1.6', 'MeterValues', at('"2026-11-20T20:00:00.123+01:00"'), '', 'a time with a zone'],
  ['ocpp1.6', 'MeterValues', at('"2026-02-30T20:00:00Z"'), format, 'a day that does not exist'],
  ['ocpp1.6', 'MeterValues', at('"2026-11-20"'), format, 'a date without a time'],
  ['ocpp1.6', 'MeterValues', at('""'), format, 'an empty time'],
  ['ocpp1.6', 'MeterValues', at('1764446400'), '/meterValue/0/timestamp: type', 'seconds since 1970'],
  ['ocpp1.6', 'MeterValues', at(`"2026-11-20T20:00:00.${'1'.repeat(43)}Z"`), '', 'a time of 64 characters'],
  ['ocpp1.6', 'MeterValues', at(`"2026-11-20T20:00:00.${'1'.repeat(44)}Z"`), format, 'a time of 65 characters'],
  ['ocpp1.6', 'Authorize', '{}', '/idTag: required', 'the path of a missing field'],
  [
    'ocpp1.6',
    'Authorize',
    '{"idTag":"1","a/b~c":1}',
    '/a~1b~0c: additionalProperties',
    'a field name is escaped in the JSON pointer',
  ],
  ['ocpp1.6', 'Authorize', '{"idTag":"1","":1}', '/: additionalProperties', 'a field without a name'],
  ['ocpp1.6', 'Authorize', '{"idTag":1,"idTag":"1"}', '', 'the last of equal keys counts, as in JSON.parse'],
  [
    'ocpp1.6',
    'Authorize',
    '{"idTag":"1","__proto__":{}}',
    '/__proto__: additionalProperties',
    '__proto__ is an ordinary field',
  ],
  [
    'ocpp1.6',
    'Authorize',
    '{"__proto__":{"idTag":"1"}}',
    '/idTag: required; /__proto__: additionalProperties',
    '__proto__ provides no fields',
  ],
  [
    'ocpp1.6',
    'Authorize',
    '{"idTag":"1","constructor":1}',
    '/constructor: additionalProperties',
    'constructor is an unknown field',
  ],
  ['ocpp1.6', 'Heartbeat', '{"toString":1}', '/toString: additionalProperties', 'toString is an unknown field'],
  ['ocpp1.6', 'Heartbeat', 'null', 'payload: type', 'not an object'],
  ['ocpp1.6', 'Heartbeat', '{', 'payload: type', 'not JSON'],
  ['ocpp2.0.1', 'TransactionEvent', event(''), '', 'only the required fields'],
  ['ocpp2.0.1', 'TransactionEvent', event(',"seqNo":1.0'), '', '1.0 is an integer'],
  ['ocpp2.0.1', 'TransactionEvent', event(',"evse":null'), '/evse: type', 'null for an optional object'],
  ['ocpp2.0.1', 'TransactionEvent', event(',"meterValue":[]'), '/meterValue: minItems', 'an empty list'],
  [
    'ocpp2.0.1',
    'TransactionEvent',
    event(',"custom":1'),
    '/custom: additionalProperties',
    'unknown fields are rejected',
  ],
  ['ocpp2.0.1', 'TransactionEvent', event(',"customData":{"vendorId":"v","x":{}}'), '', 'customData is open'],
  [
    'ocpp2.0.1',
    'TransactionEvent',
    event(',"customData":{"x":1}'),
    '/customData/vendorId: required',
    'customData requires vendorId',
  ],
  ['ocpp2.0.1', 'DataTransfer', '{"vendorId":"v","data":[null]}', '', 'data may be anything'],
  ['ocpp2.0.1', 'NotifyPeriodicEventStream', stream, '', 'an action without a schema in 2.0.1 has no violations'],
  ['ocpp2.1', 'NotifyPeriodicEventStream', stream, '', 'a SEND'],
  [
    'ocpp2.1',
    'NotifyPeriodicEventStream',
    '{"id":1,"pending":0,"data":[]}',
    '/basetime: required; /data: minItems',
    'a SEND is validated',
  ],
  [
    'ocpp2.1',
    'BatterySwap',
    '{}',
    '/eventType: required; /requestId: required; /idToken: required; /batteryData: required',
    'an action of 2.1',
  ],
  ['ocpp2.1', 'RequestBatterySwap', '[]', 'payload: type', 'an action that starts with the suffix of schema names'],
  ['ocpp2.1', 'Request', '[]', '', 'not an action'],
  ['ocpp2.1', 'BatterySwapRequest', '[]', '', 'the name of a schema is not an action'],
  ['ocpp1.6', '', '[]', '', 'not an action'],
  ['ocpp1.6', 'constructor', '[]', '', 'not an action'],
  ['ocpp1.6', '__proto__', '[]', '', 'not an action'],
]
for (const [version, action, payload, wrong, because] of rows) {
  test(`${version} ${action} ${payload.slice(0, 60)}: ${because}`, () => {
    const found = schemas.violations(version, action, 'request', payload as JsonText)
    assert.equal(violationsInWords(found), wrong)
  })
}

test('an answer is validated against the response schema', () => {
  const of = (message: 'request' | 'response'): string =>
    violationsInWords(schemas.violations('ocpp1.6', 'Heartbeat', message, '{}' as JsonText))
  assert.equal(of('request'), '')
  assert.equal(of('response'), '/currentTime: required')
})

/** A 2.0.1 SetVariables with this many values of the wrong type in an array of objects. */
const wrongValues = (count: number): JsonText =>
  `{"setVariableData":[${Array.from({ length: count }, () => 1).join(',')}]}` as JsonText
const violationCount = (payload: JsonText): number =>
  schemas.violations('ocpp2.0.1', 'SetVariables', 'request', payload).length

test('a payload with many violations reports ten of them', () => {
  for (const [count, expected] of [
    [9, 9],
    [10, 10],
    [11, 10],
    [524_000, 10],
  ] as const)
    assert.equal(violationCount(wrongValues(count)), expected)
})

/** Counts the calls of an array method with which Ajv adds violations. */
function callsOf(name: 'push' | 'concat', run: () => void): number {
  const original = Object.getOwnPropertyDescriptor(Array.prototype, name)
  const method: unknown = original?.value
  assert.ok(original !== undefined && typeof method === 'function', `arrays have ${name}`)
  let count = 0
  const counting = function (this: unknown, ...values: unknown[]): unknown {
    count++
    return Reflect.apply(method, this, values)
  }
  Object.defineProperty(Array.prototype, name, { ...original, value: counting })
  try {
    run()
  } finally {
    Object.defineProperty(Array.prototype, name, original)
  }
  return count
}

test('validation stops at the tenth violation, whatever the length of the payload', () => {
  for (const count of [10, 11, 32_000, 524_000])
    assert.equal(
      callsOf('push', () => violationCount(wrongValues(count))),
      9,
      `${count}: Ajv pushes all but the first`,
    )
})

test('validation does not look at what follows the tenth violation', () => {
  let looked = 0
  const value = new Proxy(new Array<number>(1_000).fill(1), {
    get: (target, key, receiver): unknown => (looked++, Reflect.get(target, key, receiver)),
  })
  const parse = mock.method(JSON, 'parse', () => ({ setVariableData: value }))
  try {
    assert.equal(violationCount('{}' as JsonText), 10)
  } finally {
    parse.mock.restore()
  }
  assert.ok(looked < 20, `${looked} looks at an array of 1,000`)
})

test('the list of violations is not copied per violation, which takes seconds for 32,000', () => {
  for (const value of ['1', '{}', '{"component":1}']) {
    const payload = `{"setVariableData":[${`${value},`.repeat(4000)}${value}]}` as JsonText
    assert.ok(callsOf('concat', () => violationCount(payload)) < 100, value)
  }
})

test('nothing of an invalid payload stays in memory', () => {
  const objects = (): number => queryObjects(Object, { format: 'count' })
  violationCount(wrongValues(1)) // compiles the schema
  const before = objects()
  violationCount(wrongValues(32_000))
  assert.ok(objects() - before < 1000, 'of 32,000 violations')
})

test('a long field name of the message is truncated, but a path of the schema is not', () => {
  const [found] = schemas.violations('ocpp1.6', 'Heartbeat', 'request', `{"${'/'.repeat(60_000)}":1}` as JsonText)
  assert.deepEqual(found, { path: `/${'~1'.repeat(64)}…`, rule: 'additionalProperties' })
})

test('a payload of 5,000 unknown fields reports ten violations', () => {
  const payload = jsonText(Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`x${index}`, 1])))
  assert.equal(schemas.violations('ocpp2.1', 'Heartbeat', 'request', payload).length, 10)
})

test('a schema is shown without references, and none is where there is none', () => {
  assert.deepEqual(schemas.schemaOf('ocpp1.6', 'Fly', 'request'), null)
  assert.doesNotMatch(JSON.stringify(schemas.schemaOf('ocpp2.1', 'SetChargingProfile', 'request')), /\$ref/)
})
