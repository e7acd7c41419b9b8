import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageId, type Call } from '../../../src/ocpp/frame.ts'
import { jsonText, type JsonText } from '../../../src/ocpp/json.ts'
import { transactionIdFor } from '../../../src/session/transactions/digest.ts'
import type { StationId } from '../../../src/translate/handshake.ts'
import { acks, dataOf, fails, FakeWorld, faults } from '../../support/fakes.ts'

function start(id: string, meterStart = 5): Call {
  return { kind: 'call', id: messageId(id), action: 'StartTransaction', payload: jsonText({ meterStart }) }
}

const one = 'CP1' as StationId

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

test('transactionIdFor gives the same id for the same message, a number of 31 bits above 0', () => {
  assert.equal(transactionIdFor(one, start('x')), transactionIdFor(one, start('x')))
  const ids = Array.from({ length: 5_000 }, (_, at) => transactionIdFor(one, start(String(at))))
  assert.deepEqual(
    ids.filter(id => !Number.isInteger(id) || id <= 0 || id >= 2 ** 31),
    [],
  )
  assert.ok(Math.max(...ids) > 2 ** 30, 'the ids fill the range')
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
  const world = new FakeWorld(t, { silentAck: 'anycable' })
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
