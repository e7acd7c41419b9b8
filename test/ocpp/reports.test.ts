import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import fc from 'fast-check'
import { elementsOf, membersOf, type JsonText } from '../../src/ocpp/json.ts'
import {
  inOrder,
  isComplete,
  joinedPayload,
  missingOf,
  reportPartOf,
  reports2x,
  type ReportPart,
  type ReportRow,
} from '../../src/ocpp/reports.ts'
import { versions } from '../../src/ocpp/version.ts'
import { problemOfRequest } from './schemas.ts'

const json = (text: string): JsonText => text as JsonText

function rowOf(action: string): ReportRow {
  const row = reports2x.get(action)
  assert.ok(row, `${action} has a row`)
  return row
}

function partOf(action: string, payload: string): ReportPart {
  const part = reportPartOf(rowOf(action), json(payload))
  assert.ok(part, `${payload} is a part of ${action}`)
  return part
}

/** Joins parts in the order of their numbers. */
function wholeOf(action: string, ...payloads: readonly string[]): string {
  return joinedPayload(rowOf(action), inOrder(payloads.map(payload => partOf(action, payload))))
}

const report = (seqNo: number, rest: string): string => `{"requestId":7,"generatedAt":"t","seqNo":${seqNo}${rest}}`
const info = (seqNo: number, data: string, tbc = true): string =>
  `{"requestId":7,"generatedAt":"t","seqNo":${seqNo},"tbc":${tbc},"data":"${data}"}`

const wholes = [
  [
    'NotifyReport',
    [report(0, ',"tbc":true,"reportData":[{"v":2935.600}]'), report(1, ',"reportData":[{"v":1E2}, {"v":0.10}]')],
    '{"requestId":7,"generatedAt":"t","seqNo":0,"tbc":false,"reportData":[{"v":2935.600},{"v":1E2}, {"v":0.10}]}',
    'items keep their numbers and whitespace unchanged',
  ],
  [
    'NotifyReport',
    ['{ "tbc" : true , "seqNo" : 0 , "reportData" : [ 1 ] , "requestId" : 7.0 }', report(1, ',"reportData":[2]')],
    '{"tbc":false,"seqNo":0,"reportData":[ 1 ,2],"requestId":7.0}',
    'the other members are those of the first part, in its order',
  ],
  [
    'NotifyReport',
    [report(1, ',"reportData":[2]'), report(0, ',"tbc":true,"reportData":[1]')],
    report(0, ',"tbc":false,"reportData":[1,2]'),
    'the first part is the one with the lowest number, not the first to arrive',
  ],
  [
    'NotifyReport',
    [10, 9, 2].map(seqNo => report(seqNo, `,"tbc":true,"reportData":[${seqNo}]`)),
    report(0, ',"tbc":false,"reportData":[2,9,10]'),
    'part numbers sort numerically, and the result has seqNo 0 even if the first part is missing',
  ],
  [
    'NotifyReport',
    [report(0, ',"tbc":true'), report(1, ',"reportData":[1],"tbc":true'), report(2, '')],
    report(0, ',"tbc":false,"reportData":[1]'),
    'reportData is appended if the first part has none',
  ],
  ['NotifyReport', [report(0, ',"tbc":true'), report(1, '')], report(0, ',"tbc":false'), 'no part has a list: none'],
  [
    'NotifyReport',
    [report(0, ',"tbc":true,"reportData":null'), report(1, ',"tbc":null,"reportData":[ ]')],
    report(0, ',"tbc":false,"reportData":[]'),
    'null is skipped, and an empty list adds no comma',
  ],
  [
    'NotifyReport',
    [report(0, ',"tbc":true,"reportData":["]\\"",{"a":[","]}]'), report(1, ',"reportData":["[,"]')],
    report(0, ',"tbc":false,"reportData":["]\\"",{"a":[","]},"[,"]'),
    'brackets, commas and quotes inside strings are ignored',
  ],
  [
    'NotifyReport',
    [report(0, ',"tbc":true,"customData":{"vendorId":"a","n":1.0}'), report(1, ',"customData":{"vendorId":"b"}')],
    report(0, ',"tbc":false,"customData":{"vendorId":"a","n":1.0}'),
    'members that are not joined come from the first part',
  ],
  [
    'NotifyReport',
    [report(0, ',"tbc":true,"__proto__":1,"a\\"b":2'), report(1, '')],
    report(0, ',"tbc":false,"__proto__":1,"a\\"b":2'),
    'members with special names are kept',
  ],
  [
    'NotifyMonitoringReport',
    [report(0, ',"tbc":true,"monitor":[1]'), report(1, ',"monitor":[2.50]')],
    report(0, ',"tbc":false,"monitor":[1,2.50]'),
    'the list of another action is joined',
  ],
  [
    'NotifyDisplayMessages',
    ['{"requestId":7,"tbc":true,"messageInfo":[1]}', '{"requestId":7,"messageInfo":[2]}', '{"requestId":7}'],
    '{"requestId":7,"tbc":false,"messageInfo":[1,2]}',
    'parts without numbers stay in order of arrival, and the result has no number',
  ],
  [
    'NotifyCustomerInformation',
    [info(0, 'name: \\"A'), info(1, '\\\\\\n'), info(2, ''), info(3, '\\u00e9é', false)],
    info(0, 'name: \\"A\\\\\\n\\u00e9é', false),
    'strings are concatenated, with unchanged escapes',
  ],
  [
    'NotifyCustomerInformation',
    [info(0, 'smile \\ud83d'), info(1, '\\ude00', false)],
    info(0, 'smile \\ud83d\\ude00', false),
    'a surrogate pair split between two parts is whole again',
  ],
  [
    'ReportChargingProfiles',
    [
      '{"requestId":7,"chargingLimitSource":"EMS","evseId":1,"tbc":true,"chargingProfile":[{"limit":16.0}]}',
      '{"requestId": 7,"chargingLimitSource":"CSO","evseId":2,"chargingProfile":[{"limit":8.10}]}',
    ],
    '{"requestId":7,"tbc":false,"reports":[' +
      '{"requestId":7,"chargingLimitSource":"EMS","evseId":1,"tbc":true,"chargingProfile":[{"limit":16.0}]},' +
      '{"requestId": 7,"chargingLimitSource":"CSO","evseId":2,"chargingProfile":[{"limit":8.10}]}]}',
    'parts with an EVSE of their own are listed unchanged',
  ],
] as const satisfies readonly (readonly [string, readonly string[], string, string])[]

for (const [action, payloads, whole, because] of wholes) {
  test(`joined ${action}: ${because}`, () => assert.equal(wholeOf(action, ...payloads), whole))
}

test('a joined surrogate pair parses as one character', () => {
  const whole = wholeOf('NotifyCustomerInformation', info(0, '\\ud83d'), info(1, '\\uDE00', false))
  assert.equal((JSON.parse(whole) as { data: string }).data, '😀')
})

const noParts = [
  ['NotifyReport', '{"seqNo":0,"tbc":true}', 'no requestId'],
  ['NotifyReport', '{"requestId":"7","seqNo":0,"tbc":true}', 'a requestId that is not a number'],
  ['NotifyReport', '{"requestId":9007199254740993,"seqNo":0,"tbc":true}', 'a requestId beyond double precision'],
  ['NotifyReport', '{"requestId":7,"tbc":true}', 'no seqNo in a numbered report'],
  ['NotifyReport', '{"requestId":7,"seqNo":"0","tbc":true}', 'a seqNo that is not a number'],
  ['NotifyReport', '{"requestId":7,"seqNo":0.5,"tbc":true}', 'a seqNo that is not an integer'],
  ['NotifyReport', '{"requestId":7,"seqNo":-1,"tbc":true}', 'a seqNo below 0'],
  ['NotifyReport', '{"requestId":7,"seqNo":0,"tbc":"true"}', 'a tbc that is not a boolean'],
  ['NotifyReport', '{"requestId":7,"seqNo":0,"tbc":true,"reportData":{}}', 'a list member that is not a list'],
  [
    'NotifyCustomerInformation',
    '{"requestId":7,"seqNo":0,"tbc":true,"data":7}',
    'a string member that is not a string',
  ],
  ['NotifyReport', '[]', 'not an object'],
  ['ReportChargingProfiles', '{"tbc":true}', 'no requestId in a report without numbers'],
] as const

for (const [action, payload, because] of noParts) {
  test(`reportPartOf rejects a ${action}: ${because}`, () =>
    assert.equal(reportPartOf(rowOf(action), json(payload)), null))
}

const gaps = [
  [['0+', '1+', '2.'], [], true, 'no part is missing'],
  [['2.', '0+', '1+'], [], true, 'parts in any order'],
  [['0+', '2.'], [1], false, 'a part in the middle is missing'],
  [['3.'], [0, 1, 2], false, 'all but the last are missing'],
  [['0+', '1+'], [], false, 'the last part is missing'],
  [['1+', '4+'], [0, 2, 3], false, 'several parts and the last one are missing'],
  [['0+', '1.', '2+'], [], false, 'a part follows the last one'],
] as const

for (const [numbers, missing, complete, because] of gaps) {
  test(`the parts ${numbers.join(' ')} lack [${missing.join()}] and are ${complete ? 'complete' : 'incomplete'}: ${because}`, () => {
    const payloads = numbers.map(text => report(Number(text.slice(0, -1)), `,"tbc":${text.endsWith('+')}`))
    const parts = inOrder(payloads.map(payload => partOf('NotifyReport', payload)))
    assert.deepEqual(missingOf(parts), missing)
    assert.equal(isComplete(parts), complete)
  })
}

test('a list split anywhere is restored from its parts in any order', () => {
  const item = fc.oneof(fc.constantFrom('2935.600', '-0', '1e400', '"\\ud83d"', '[ ]', 'null'), fc.json())
  const cut = fc.array(fc.array(item, { maxLength: 3 }), { minLength: 1, maxLength: 8 })
  const shuffled = cut.chain(lists =>
    fc.tuple(fc.constant(lists), fc.shuffledSubarray([...lists.keys()], { minLength: lists.length })),
  )
  fc.assert(
    fc.property(shuffled, ([lists, order]) => {
      const payloads = lists.map((items, seqNo) =>
        report(seqNo, `,"tbc":${seqNo < lists.length - 1},"reportData":[${items.join(',')}]`),
      )
      const whole = wholeOf('NotifyReport', ...order.map(seqNo => payloads[seqNo] ?? ''))
      assert.doesNotThrow(() => void JSON.parse(whole), 'it is JSON')
      const data = membersOf(whole).get('reportData') ?? ''
      assert.deepEqual(
        elementsOf(data),
        lists.flat().map(text => text.trim()),
      )
    }),
  )
})

test('a string split between any two escapes is restored', () => {
  const unit = fc.constantFrom('a', 'é', '\\"', '\\\\', '\\n', '\\ud83d', '\\ude00', '\\u0000', '/', ']', '}', ',')
  fc.assert(
    fc.property(fc.array(fc.array(unit), { minLength: 1 }), pieces => {
      const texts = pieces.map(piece => piece.join(''))
      const whole = wholeOf(
        'NotifyCustomerInformation',
        ...texts.map((text, seqNo) => info(seqNo, text, seqNo < texts.length - 1)),
      )
      assert.equal(membersOf(whole).get('data'), `"${texts.join('')}"`)
    }),
  )
})

type Schema = {
  readonly $id: string
  readonly properties?: Readonly<Record<string, { readonly type?: string }>>
}

const require = createRequire(import.meta.url)

/** Messages with `requestId` and `tbc` that are not collected. */
const notCollected = ['ReportDERControl']

for (const [version, file, suffix] of [
  ['ocpp1.6', 'ocpp1_6', '.req'],
  ['ocpp2.0.1', 'ocpp2_0_1', '.req'],
  ['ocpp2.1', 'ocpp2_1', 'Request'],
] as const) {
  test(`the report rows of ${version} match its official schemas`, () => {
    const schemas = require(`ocpp-rpc/lib/schemas/${file}.json`) as readonly Schema[]
    const found = schemas
      .filter(({ properties }) => properties?.['requestId'] !== undefined && properties['tbc'] !== undefined)
      .map(({ $id, properties = {} }) => ({ action: $id.replace('urn:', '').replace(suffix, ''), properties }))
      .filter(({ action }) => !notCollected.includes(action))
    const { reports } = versions[version]
    assert.deepEqual([...reports.keys()].sort(), found.map(({ action }) => action).sort())
    for (const { action, properties } of found) {
      const row = rowOf(action)
      assert.equal(row.isNumbered, properties['seqNo'] !== undefined, `${action} has numbers`)
      const types = { list: 'array', string: 'string', nothing: undefined }
      assert.equal(properties[row.member]?.type, types[row.joins], `${action} has ${row.member}`)
    }
  })
}

for (const version of ['ocpp2.0.1', 'ocpp2.1'] as const) {
  test(`a report with joined lists is a valid message of ${version}`, () => {
    const component = '"component":{"name":"C"},"variable":{"name":"V"}'
    const at = '"requestId":7,"generatedAt":"2026-01-02T03:04:05Z"'
    const data = `[{${component},"variableAttribute":[{"value":"2935.600"}]}]`
    const notified = wholeOf(
      'NotifyReport',
      `{${at},"seqNo":0,"tbc":true}`,
      `{${at},"seqNo":1,"tbc":true,"reportData":${data}}`,
      `{${at},"seqNo":2,"reportData":${data}}`,
    )
    assert.equal(problemOfRequest(version, 'NotifyReport', notified), null)
    const told = wholeOf(
      'NotifyCustomerInformation',
      `{${at},"seqNo":0,"tbc":true,"data":"a"}`,
      `{${at},"seqNo":1,"data":"b"}`,
    )
    assert.equal(problemOfRequest(version, 'NotifyCustomerInformation', told), null)
  })
}
