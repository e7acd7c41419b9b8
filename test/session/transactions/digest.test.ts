import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { messageId, type Call } from '../../../src/ocpp/frame.ts'
import { jsonText, type JsonText } from '../../../src/ocpp/json.ts'
import { versions, type Version } from '../../../src/ocpp/version.ts'
import { mintedIdOf, trackedOf, transactionIdFor as idOf } from '../../../src/session/transactions/digest.ts'
import type { StationId } from '../../../src/translate/handshake.ts'
import { acks, dataOf, fails, FakeWorld, faults } from '../../support/fakes.ts'

function start(id: string, meterStart = 5): Call {
  return { kind: 'call', id: messageId(id), action: 'StartTransaction', payload: jsonText({ meterStart }) }
}

const one = 'CP1' as StationId

function transactionIdFor(stationId: StationId, call: Call): number {
  const identity = versions['ocpp1.6'].transactionMessages.get(call.action)
  assert.ok(identity)
  return idOf(trackedOf(stationId, call, identity))
}

const differing: readonly [StationId, Call, string][] = [
  ['CP2' as StationId, start('x'), 'another station'],
  [one, start('y'), 'another message'],
  [one, start('x', 6), 'the same id with other content'],
]
for (const [stationId, call, because] of differing) {
  test(`transactionIdFor gives another id for ${because}`, () => {
    assert.notEqual(transactionIdFor(stationId, call), transactionIdFor(one, start('x')))
  })
}

test('transactionIdFor gives the same id for the same message, a number from 2^30 to 2^31 - 1', () => {
  assert.equal(transactionIdFor(one, start('x')), transactionIdFor(one, start('x')))
  const ids = Array.from({ length: 5_000 }, (_, at) => transactionIdFor(one, start(String(at))))
  assert.deepEqual(
    ids.filter(id => !Number.isInteger(id) || id < 2 ** 30 || id >= 2 ** 31),
    [],
  )
  assert.ok(Math.max(...ids) - Math.min(...ids) > 2 ** 30 - 2 ** 20, 'the ids fill the range')
  assert.ok(new Set(ids).size > 4_990, 'ids rarely collide')
})

test('transactionIdFor gives the same id when a message id is written with an escape', () => {
  const plain = { ...start('x'), id: '"x"' as Call['id'] }
  assert.equal(transactionIdFor(one, { ...plain, id: '"\\u0078"' as Call['id'] }), transactionIdFor(one, plain))
})

const payload = '{"connectorId":1,"idTag":"A","meterStart":5,"timestamp":"2026-01-02T03:04:05Z"}' as JsonText

test('each attempt carries the transaction id that the station gets when the app is silent in mode anycable', async t => {
  const world = new FakeWorld(t, { silentAck: 'anycable' })
  const station = world.plug('CP1')
  world.rpc.once('start_transaction', fails(faults.slow))
  station.says(`[2,"x","StartTransaction",${payload}]`)
  await world.pass(1_000)
  const [, , answer] = await station.next()
  const performs = world.rpc.made.all.filter(({ name }) => name === 'start_transaction').map(dataOf)
  assert.deepEqual(
    performs.map(data => [data['attempt'], data['transactionId']]),
    [
      [undefined, performs[0]?.['transactionId']],
      [2, performs[0]?.['transactionId']],
    ],
  )
  assert.deepEqual(answer, { idTagInfo: { status: 'Accepted' }, transactionId: performs[0]?.['transactionId'] })
})

test('the transaction id of the app is sent when the app answers in mode anycable', async t => {
  const world = new FakeWorld(t, { silentAck: 'anycable' })
  const station = world.plug('CP1')
  world.rpc.once('start_transaction', acks({ idTagInfo: { status: 'Blocked' }, transactionId: 9 }))
  station.says(`[2,"x","StartTransaction",${payload}]`)
  assert.deepEqual(await station.next(), [3, 'x', { idTagInfo: { status: 'Blocked' }, transactionId: 9 }])
})

test('a StartTransaction gets a CALLERROR when the app fails in mode anycable', async t => {
  const world = new FakeWorld(t, { silentAck: 'anycable', unanswered: 'error' })
  const station = world.plug('CP1')
  world.rpc.once('start_transaction', fails(faults.raised))
  station.says(`[2,"x","StartTransaction",${payload}]`)
  assert.equal((await station.next())[0], 4)
})

test('no transaction id is made in mode safe', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  station.says(`[2,"x","StartTransaction",${payload}]`)
  assert.equal((await station.next())[0], 4)
  assert.equal('transactionId' in dataOf(await world.rpc.next('start_transaction')), false)
})

/** A message's fields, and how it is sent: what a station may change when it sends the same message again. */
type Sending = {
  readonly id: string
  readonly order: readonly number[]
  readonly indent: number
  readonly more: object
}

const sending = fc.record({
  id: fc.string({ minLength: 1, maxLength: 36 }),
  order: fc.array(fc.double({ noNaN: true }), { minLength: 8, maxLength: 8 }),
  indent: fc.nat({ max: 3 }),
  more: fc.constantFrom<object>({}, { offline: true }, { offline: false }, { customData: { vendorId: 'V' } }),
})

/** Writes the members of each object in another order. */
function shuffled(value: unknown, order: readonly number[]): unknown {
  if (Array.isArray(value)) return value.map(each => shuffled(each, order))
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value as Record<string, unknown>).map(([name, member], at) => ({
    name,
    member,
    by: order[at % order.length] ?? 0,
  }))
  members.sort((one, other) => one.by - other.by)
  return Object.fromEntries(members.map(({ name, member }) => [name, shuffled(member, order)]))
}

function keyOf(
  version: Version,
  stationId: string,
  action: string,
  fields: object,
  { id, order, indent, more }: Sending,
) {
  const identity = versions[version].transactionMessages.get(action)
  assert.ok(identity)
  const payload = JSON.stringify(shuffled({ ...more, ...fields }, order), null, indent) as JsonText
  return trackedOf(stationId as StationId, { kind: 'call', id: messageId(id), action, payload }, identity).key
}

const time = fc
  .date({ min: new Date('2016-01-01'), max: new Date('2099-12-31'), noInvalidDate: true })
  .map(date => date.toISOString())
const text = fc.string({ maxLength: 20, unit: 'binary' })
const samples = fc.array(
  fc.record({ timestamp: time, sampledValue: fc.array(fc.record({ value: text, measurand: text, phase: text })) }),
  { minLength: 1, maxLength: 3 },
)
const optional = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined })

/** The identifying fields of each transaction message. */
const facts: readonly (readonly [Version, string, fc.Arbitrary<object>])[] = [
  [
    'ocpp1.6',
    'StartTransaction',
    fc.record({ connectorId: fc.nat(), idTag: text, meterStart: fc.integer(), timestamp: time }),
  ],
  [
    'ocpp1.6',
    'StopTransaction',
    fc.record({ transactionId: fc.integer(), meterStop: fc.integer(), timestamp: time, idTag: optional(text) }),
  ],
  [
    'ocpp1.6',
    'MeterValues',
    fc.record({ connectorId: fc.nat(), transactionId: optional(fc.integer()), meterValue: samples }),
  ],
  [
    'ocpp2.0.1',
    'TransactionEvent',
    fc.record({ transactionInfo: fc.record({ transactionId: text }), seqNo: fc.nat(), timestamp: time }),
  ],
  ['ocpp2.1', 'MeterValues', fc.record({ evseId: fc.nat(), meterValue: samples })],
]
for (const [version, action, fact] of facts) {
  test(`${version} ${action}: the key is the same under another id, member order, white space and offline flag`, () => {
    fc.assert(
      fc.property(fc.string(), fact, sending, sending, (stationId, fields, first, again) => {
        const key = keyOf(version, stationId, action, fields, first)
        assert.match(key, /^[\w-]{1,64}$/)
        assert.equal(keyOf(version, stationId, action, fields, again), key)
      }),
    )
  })

  test(`${version} ${action}: the key is another one for another station, or another value of a field`, () => {
    fc.assert(
      fc.property(fc.string(), fact, fact, fc.nat(), sending, (stationId, fields, others, at, sent) => {
        const names = Object.keys(fields)
        const name = names[at % names.length] ?? ''
        const changed = { ...fields, [name]: Reflect.get(others, name) as unknown }
        fc.pre(JSON.stringify(changed) !== JSON.stringify(fields))
        const key = keyOf(version, stationId, action, fields, sent)
        assert.notEqual(keyOf(version, stationId, action, changed, sent), key)
        assert.notEqual(keyOf(version, `${stationId}x`, action, fields, sent), key)
      }),
    )
  })

  test(`${version} ${action}: an implausible time makes the id part of the key`, () => {
    fc.assert(
      fc.property(fact, sending, sending, (fields, first, again) => {
        fc.pre(first.id !== again.id)
        const never = JSON.parse(
          JSON.stringify(fields).replace(/"timestamp":"[^"]*"/g, '"timestamp":"1970-01-01T00:00:00Z"'),
        ) as object
        const key = keyOf(version, 'CP1', action, never, first)
        assert.equal(keyOf(version, 'CP1', action, never, { ...again, id: first.id }), key)
        assert.notEqual(keyOf(version, 'CP1', action, never, again), key)
      }),
    )
  })
}

test('a stored message has a minted id when it is a StartTransaction of 1.6', () => {
  const message = { key: 'StartTransaction-a', action: 'StartTransaction', version: 'ocpp1.6' } as const
  assert.equal(mintedIdOf(message), idOf(message))
  assert.equal(mintedIdOf({ ...message, action: 'StopTransaction' }), null)
  assert.equal(mintedIdOf({ ...message, action: 'TransactionEvent', version: 'ocpp2.1' }), null)
})
