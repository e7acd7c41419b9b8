/** A transaction message that is repeated under its id is performed once, and gets the same answer again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Version } from '../../src/ocpp/version.ts'
import { channelAction } from '../../src/translate/commands.ts'
import { acks, dataOf, fails, FakeWorld, faults, quiet, transmitted, type Script } from '../support/fakes.ts'

const minute = 60_000

const retried: readonly [Version, string, object, object][] = [
  ['ocpp1.6', 'StartTransaction', { connectorId: 1, idTag: 'A', meterStart: 5 }, { idTagInfo: { status: 'Accepted' }, transactionId: 7 }], // prettier-ignore
  ['ocpp1.6', 'StopTransaction', { transactionId: 7, meterStop: 9 }, { idTagInfo: { status: 'Accepted' } }],
  ['ocpp1.6', 'MeterValues', { connectorId: 1, meterValue: [] }, {}],
  ['ocpp2.0.1', 'TransactionEvent', { eventType: 'Started', seqNo: 0 }, { totalCost: 1.5 }],
  ['ocpp2.1', 'TransactionEvent', { eventType: 'Ended', seqNo: 2 }, { totalCost: 2 }],
  ['ocpp2.0.1', 'MeterValues', { evseId: 1, meterValue: [] }, {}],
]
for (const [version, action, payload, answer] of retried) {
  const name = channelAction(action)
  const performs = (world: FakeWorld): number => world.rpc.names().filter(each => each === name).length

  test(`${version} ${action} gets the same answer and one perform when it is repeated after its answer`, async t => {
    const world = new FakeWorld(t)
    const station = world.plug('CP1', { version })
    world.rpc.once(name, acks(answer))
    station.call(action, payload, 'x')
    const first = await station.next()
    station.call(action, payload, 'x')
    assert.deepEqual(await station.next(), first)
    assert.deepEqual(first, [3, 'x', answer])
    assert.equal(performs(world), 1)
    assert.equal(world.meter.total('ocpp_call_total', { answer: 'replayed' }), 1)
  })

  test(`${version} ${action} gets the same answer and one perform when it is repeated on the next connection`, async t => {
    const world = new FakeWorld(t)
    const before = world.plug('CP1', { version })
    world.rpc.once(name, acks(answer))
    before.call(action, payload, 'x')
    await before.next()
    before.vanish()
    await world.pass(5 * minute, minute)
    const station = world.plug('CP1', { version })
    station.call(action, payload, 'x')
    assert.deepEqual(await station.next(), [3, 'x', answer])
    assert.equal(performs(world), 1)
  })

  test(`${version} ${action} gets the answer to its first attempt when that is in flight and the station reconnects`, async t => {
    const world = new FakeWorld(t)
    const before = world.plug('CP1', { version })
    const running = world.rpc.hold(name)
    before.call(action, payload, 'x')
    const call = await running.arrived()
    before.vanish()
    const station = world.plug('CP1', { version })
    station.call(action, payload, 'x')
    await quiet()
    assert.deepEqual(station.got, [])
    running.release(transmitted({ command: 'Ack', id: dataOf(call).id, payload: answer }))
    assert.deepEqual(await station.next(), [3, 'x', answer])
    assert.equal(performs(world), 1)
  })
}

const notReplayed: readonly [string, Script, string][] = [
  ['StatusNotification', acks({}), 'it is not a transaction message'],
  ['Authorize', acks({ idTagInfo: { status: 'Accepted' } }), 'a card may be blocked meanwhile'],
  ['StartTransaction', fails(faults.raised), 'the app has not booked it'],
  ['StopTransaction', () => ({ status: 'failure' }), 'the app has refused to book it'],
  ['StartTransaction', () => ({}), 'the app was silent, and the CALLERROR is the bridge’s own'],
]
for (const [action, script, because] of notReplayed) {
  const name = channelAction(action)

  test(`${action} is performed again when it is repeated after its answer: ${because}`, async t => {
    const world = new FakeWorld(t, { unanswered: 'error' })
    const station = world.plug('CP1')
    world.rpc.on(name, script)
    for (let count = 0; count < 2; count++) {
      station.call(action, { connectorId: 1 }, 'x')
      await station.next()
    }
    assert.equal(world.rpc.names().filter(each => each === name).length, 2)
  })
}

test('a CALLERROR of the app is replayed, because the app has decided', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  world.rpc.once('start_transaction', call =>
    transmitted({ command: 'Error', id: dataOf(call).id, code: 'GenericError', message: 'no', payload: {} }),
  )
  for (let count = 0; count < 2; count++) {
    station.call('StartTransaction', { connectorId: 1 }, 'x')
    assert.deepEqual(await station.next(), [4, 'x', 'GenericError', 'no', {}])
  }
  assert.equal(world.rpc.names().filter(each => each === 'start_transaction').length, 1)
})

test('a MeterValues that was answered silently is confirmed again without a perform', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  for (let count = 0; count < 2; count++) {
    station.call('MeterValues', { connectorId: 1 }, 'x')
    assert.deepEqual(await station.next(), [3, 'x', {}])
  }
  assert.equal(world.rpc.names().filter(each => each === 'meter_values').length, 1)
})

test('a transaction message is performed when its content or its station differs from an answered one with its id', async t => {
  const world = new FakeWorld(t)
  const [one, other] = [world.plug('CP1'), world.plug('CP2')]
  world.rpc.on('start_transaction', acks({ idTagInfo: { status: 'Accepted' }, transactionId: 1 }))
  for (const [station, meterStart] of [
    [one, 5],
    [one, 6],
    [other, 5],
  ] as const) {
    // prettier-ignore
    station.call('StartTransaction', { connectorId: 1, meterStart }, '1')
    await station.next()
  }
  assert.equal(world.rpc.names().filter(each => each === 'start_transaction').length, 3)
})

test('a numeric id is echoed as it came, and a retry is performed again after 15 minutes', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  const performs = (): number => world.rpc.names().filter(each => each === 'meter_values').length
  const say = async (): Promise<unknown[]> => {
    station.says('[2,17,"MeterValues",{"connectorId":1}]')
    return station.next()
  }
  assert.deepEqual(await say(), [3, 17, {}])
  await world.pass(14 * minute, minute)
  assert.deepEqual(await say(), [3, 17, {}])
  assert.equal(performs(), 1)
  await world.pass(2 * minute, minute)
  assert.deepEqual(await say(), [3, 17, {}])
  assert.equal(performs(), 2)
})

for (const vanishes of [false, true]) {
  test(`a repeated message carries attempt 2 when the first attempt was in flight and fails (first socket gone: ${vanishes})`, async t => {
    const world = new FakeWorld(t)
    const first = world.plug('CP1')
    await first.boot()
    const running = world.rpc.hold('stop_transaction')
    first.call('StopTransaction', {}, 'x')
    await running.arrived()
    if (vanishes) first.vanish()
    const second = world.plug('CP1')
    second.call('StopTransaction', {}, 'x')
    await world.pass(50)
    running.reject(faults.lost)
    await world.pass(5_000)
    assert.deepEqual(await second.next(), [3, 'x', {}])
    const performs = world.rpc.made.all.filter(({ name }) => name === 'stop_transaction')
    assert.deepEqual(
      performs.map(call => dataOf(call)['attempt']),
      [undefined, 2],
    )
  })
}
