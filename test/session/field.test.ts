/**
 * Stations that break OCPP-J as real ones do, each as `docs/protocol.md` ("The field") has it: what becomes of their
 * messages, and of the commands for them.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acks, dataOf, FakeWorld, quiet, transmitted, type FakeStation, type PerformData } from '../support/fakes.ts'

/** The performs of an OCPP action so far. */
function performed(world: FakeWorld, action: string): PerformData[] {
  const performs = world.rpc.made.all.filter(({ command }) => command === 'message').map(dataOf)
  return performs.filter(({ command }) => command === action)
}

/** What the station was told under a message's id. */
const answersTo = (station: FakeStation, id: string) => station.got.filter(([type, of]) => type !== 2 && of === id)

/** An app whose transactions are numbered from 1. */
function numbersTransactions(world: FakeWorld): void {
  let transactionId = 0
  world.rpc.on('start_transaction', call =>
    acks({ idTagInfo: { status: 'Accepted' }, transactionId: ++transactionId })(call),
  )
}

const start = { connectorId: 1, idTag: 'A', meterStart: 0, timestamp: '2026-01-02T03:04:05Z' }

test('the same id for each boot: each is a boot, with the time of its own', async t => {
  const world = new FakeWorld(t)
  world.rpc.on('boot_notification', acks({ status: 'Accepted' }))
  const station = world.plug('CP1')
  const times = new Set<unknown>()
  for (let count = 0; count < 3; count++) {
    station.call('BootNotification', { chargePointModel: 'M', chargePointVendor: 'V' }, '1000001')
    times.add(((await station.next())[2] as { currentTime?: unknown }).currentTime)
    await world.pass(10_000, 1_000)
  }
  assert.equal(performed(world, 'BootNotification').length, 3)
  assert.equal(times.size, 3)
})

test('ids that are counted from 1 again after a restart: each message is one of its own', async t => {
  const world = new FakeWorld(t)
  numbersTransactions(world)
  for (const timestamp of ['2026-01-02T03:04:05Z', '2026-01-02T03:14:05Z']) {
    const station = world.plug('CP1')
    station.call('BootNotification', {}, '1')
    await station.next()
    station.call('StartTransaction', { ...start, timestamp }, '2')
    await station.next()
    station.vanish()
    await quiet()
  }
  assert.deepEqual(
    performed(world, 'StartTransaction').map(({ payload }) => payload),
    [start, { ...start, timestamp: '2026-01-02T03:14:05Z' }],
  )
})

test('a StartTransaction again and again before its answer: one transaction, one answer', async t => {
  const world = new FakeWorld(t)
  numbersTransactions(world)
  const station = world.plug('CP1')
  await station.boot()
  const running = world.rpc.hold('start_transaction')
  for (let count = 0; count < 4; count++) station.call('StartTransaction', start, '531531536')
  await running.arrived()
  const answer = { idTagInfo: { status: 'Accepted' }, transactionId: 7 }
  running.release(transmitted({ command: 'Ack', id: '531531536', payload: answer }))
  await quiet()
  assert.equal(performed(world, 'StartTransaction').length, 1)
  assert.deepEqual(answersTo(station, '531531536'), [[3, '531531536', answer]])
})

for (const [where, reconnects] of [
  ['on the same connection', false],
  ['on the next connection', true],
] as const) {
  test(`a StartTransaction again after its answer, ${where}: one transaction, the same answer`, async t => {
    const world = new FakeWorld(t)
    numbersTransactions(world)
    let station = world.plug('CP1')
    await station.boot()
    station.call('StartTransaction', start, 'x')
    const answer = await station.next()
    if (reconnects) {
      station.vanish()
      station = world.plug('CP1')
    }
    station.call('StartTransaction', start, 'x')
    assert.deepEqual(await station.next(), answer)
    assert.equal(performed(world, 'StartTransaction').length, 1)
  })
}

test('a StartTransaction again under a new id: one transaction, the same answer under the new id', async t => {
  const world = new FakeWorld(t)
  numbersTransactions(world)
  const station = world.plug('CP1')
  await station.boot()
  const answer = { idTagInfo: { status: 'Accepted' }, transactionId: 1 }
  for (const id of ['1000005', '1000006']) {
    station.call('StartTransaction', start, id)
    assert.deepEqual(await station.next(), [3, id, answer])
  }
  assert.equal(performed(world, 'StartTransaction').length, 1)
  assert.equal(world.meter.total('ocpp_call_total', { answer: 'replayed' }), 1)
})

test('a StartTransaction again after its stop: performed again, for the app to tell by its key', async t => {
  const world = new FakeWorld(t)
  world.rpc.on('start_transaction', acks({ idTagInfo: { status: 'Accepted' }, transactionId: 1 }))
  const station = world.plug('CP1')
  await station.boot()
  const stop = { transactionId: 1, meterStop: 0, timestamp: start.timestamp }
  for (const [action, payload] of [
    ['StartTransaction', start],
    ['StopTransaction', stop],
    ['StartTransaction', start],
  ] as const) {
    station.call(action, payload)
    await station.next()
  }
  const [first, second] = performed(world, 'StartTransaction')
  assert.match(String(first?.['key']), /^StartTransaction-[\w-]{22}$/)
  assert.equal(second?.['key'], first?.['key'])
})

test('a TransactionEvent again under a new id, now offline: the app is asked again, under the same key', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1', { version: 'ocpp2.0.1' })
  const event = { eventType: 'Updated', seqNo: 3, timestamp: start.timestamp, transactionInfo: { transactionId: 'T' } }
  for (const [id, payload] of [
    ['1', event],
    ['2', event],
    ['3', { ...event, offline: true }],
    ['4', { ...event, seqNo: 4 }],
  ] as const) {
    station.call('TransactionEvent', payload, id)
    assert.deepEqual(await station.next(), [3, id, {}])
  }
  const [first, retried, next, ...more] = performed(world, 'TransactionEvent')
  assert.deepEqual([first?.id, retried?.id, next?.id, more], ['1', '3', '4', []])
  assert.equal(first?.['key'], retried?.['key'])
  assert.notEqual(first?.['key'], next?.['key'])
})

test('two starts with a clock that was never set: each is performed, under a key of its own', async t => {
  const world = new FakeWorld(t)
  numbersTransactions(world)
  const station = world.plug('CP1')
  await station.boot()
  for (const id of ['5', '6']) {
    station.call('StartTransaction', { ...start, timestamp: '1970-01-01T00:00:05Z' }, id)
    await station.next()
  }
  const keys = performed(world, 'StartTransaction').map(({ key }) => key)
  assert.equal(new Set(keys).size, 2)
})

for (const [timestamps, expected, because] of [
  ['milliseconds', '2026-01-02T03:04:05.000Z', 'milliseconds in currentTime'],
  ['seconds', '2026-01-02T03:04:05Z', 'whole seconds in currentTime for a station that rejects fractions'],
] as const) {
  test(`${because}: every answer of the bridge has ${expected}`, async t => {
    const world = new FakeWorld(t, { timestamps })
    const station = world.plug('CP1')
    const times: unknown[] = []
    const timeOf = ([, , payload]: unknown[]): void =>
      void times.push((payload as { currentTime?: unknown }).currentTime)
    timeOf(await station.boot())
    world.rpc.once('boot_notification', acks({ status: 'Accepted' }))
    timeOf(await station.boot())
    world.rpc.once('boot_notification', () => ({ status: 'failure' }))
    timeOf(await station.boot())
    station.call('Heartbeat')
    const [type, , code] = await station.next()
    assert.deepEqual([type, code], [4, 'SecurityError'])
    timeOf(await station.boot())
    station.call('Heartbeat')
    timeOf(await station.next())
    assert.deepEqual(times, new Array(5).fill(expected))
  })
}

test("the app's own currentTime reaches the station unchanged when ocpp_timestamps is seconds", async t => {
  const world = new FakeWorld(t, { timestamps: 'seconds' })
  const station = world.plug('CP1')
  world.rpc.once('boot_notification', acks({ status: 'Accepted', currentTime: '2026-01-02T03:04:05.678Z' }))
  assert.equal(((await station.boot())[2] as { currentTime?: unknown }).currentTime, '2026-01-02T03:04:05.678Z')
})

test('a StopTransaction again under its id, with another transactionId: both are performed', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  const running = world.rpc.hold('stop_transaction')
  for (const transactionId of [2, -1]) station.call('StopTransaction', { meterStop: 2, transactionId }, '531531539')
  await running.arrived()
  running.release()
  await quiet()
  assert.deepEqual(
    performed(world, 'StopTransaction').map(({ payload }) => payload),
    [2, -1].map(transactionId => ({ meterStop: 2, transactionId })),
  )
  assert.equal(answersTo(station, '531531539').length, 1)
})

/** [the id as the station writes it, because] */
const transactionIds = [
  ['-1', 'the transactionId -1 of a start that had no answer'],
  ['0', 'the transactionId 0 of a station that did not keep it'],
  ['9223372036854775807', 'the transactionId 9223372036854775807 of a station that has none'],
] as const
for (const [transactionId, because] of transactionIds) {
  test(`${because}: stopped and metered as any other`, async t => {
    const world = new FakeWorld(t)
    const station = world.plug('CP1')
    await station.boot()
    for (const [id, action, rest] of [
      ['m', 'MeterValues', '"connectorId":1,"meterValue":[]'],
      ['s', 'StopTransaction', '"meterStop":2'],
    ] as const) {
      const payload = `{${rest},"transactionId":${transactionId}}`
      station.says(`[2,"${id}","${action}",${payload}]`)
      assert.deepEqual(await station.next(), [3, id, {}])
      assert.ok(world.rpc.made.all.at(-1)?.data?.includes(`"payload":${payload}`), 'the payload as it came')
    }
  })
}

for (const [status, expected, because] of [
  ['Accepted', [3, 's', {}], 'a StatusNotification on the heels of a boot that is accepted'],
  ['Pending', [4, 's', 'SecurityError'], 'a StatusNotification on the heels of a boot that comes to Pending'],
] as const) {
  test(`${because}: it waits for that answer`, async t => {
    const world = new FakeWorld(t)
    const boot = world.rpc.hold('boot_notification')
    const station = world.plug('CP1')
    station.call('BootNotification', {}, 'b')
    station.call('StatusNotification', {}, 's')
    await boot.arrived()
    assert.deepEqual(station.got, [])
    boot.release(transmitted({ command: 'Ack', id: 'b', payload: { status } }))
    assert.deepEqual((await station.next()).slice(0, 2), [3, 'b'])
    assert.deepEqual((await station.next()).slice(0, 3), expected)
    assert.equal(station.socket.closed, null)
  })
}

test('no boot at all: a StatusNotification is served, under the id of the station', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  station.call('StatusNotification', {}, 's')
  assert.deepEqual(await station.next(), [3, 's', {}])
  assert.deepEqual(world.rpc.names(), ['connect', 'subscribe', 'status_notification'])
  assert.match((await world.rpc.next('subscribe')).identifier ?? '', /"sn":"CP1"/)
})

test('messages and further boots while Pending: SecurityError, and each boot is asked for', async t => {
  const world = new FakeWorld(t)
  world.rpc.on('boot_notification', acks({ status: 'Pending', interval: 1800 }))
  const station = world.plug('CP1')
  for (let count = 0; count < 2; count++) {
    assert.equal(((await station.boot())[2] as { status?: unknown }).status, 'Pending')
    station.call('StatusNotification', {}, 's')
    assert.deepEqual((await station.next()).slice(0, 3), [4, 's', 'SecurityError'])
  }
  assert.equal(station.socket.closed, null)
  world.rpc.on('boot_notification', acks({ status: 'Accepted' }))
  await station.boot()
  station.call('StatusNotification', {}, 's')
  assert.deepEqual(await station.next(), [3, 's', {}])
})

test('the triggered message before the answer to its trigger: it passes, also while Pending', async t => {
  const world = new FakeWorld(t)
  world.rpc.once('boot_notification', acks({ status: 'Pending' }))
  const station = world.plug('CP1')
  await station.boot('SN1')
  world.broadcast('SN1', { command: 'TriggerMessage', id: 't', payload: { requestedMessage: 'StatusNotification' } })
  await station.next()
  station.call('StatusNotification', {}, 's')
  assert.deepEqual(await station.next(), [3, 's', {}])
  station.says([3, 't', { status: 'Accepted' }])
  assert.deepEqual(dataOf(await world.rpc.next('ack')).payload, { status: 'Accepted' })
})

test('a trigger that is accepted, and nothing comes: the command has ended, the next one goes out', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  for (const id of ['t1', 't2'])
    world.broadcast('SN1', { command: 'TriggerMessage', id, payload: { requestedMessage: 'MeterValues' } })
  await station.next()
  station.says([3, 't1', { status: 'Accepted' }])
  assert.equal((await station.next())[1], 't2')
  assert.equal(dataOf(await world.rpc.next('ack')).id, 't1')
})

test('an answer with an id that nobody sent: dropped, the command times out, the next one goes out', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  for (const id of ['p1', 'p2']) world.broadcast('SN1', { command: 'SetChargingProfile', id, payload: {} })
  await station.next()
  station.says([3, 'ff80ff4a-c1b6-41b0-bcb8-efde1f6c902b', { status: 'Accepted' }])
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'answer_to_nothing' }), 1)
  await world.pass(30_000, 1_000)
  const { id, code } = dataOf(await world.rpc.next('error'))
  assert.deepEqual([id, code], ['p1', 'CallTimeout'])
  assert.equal((await station.next())[1], 'p2')
})

test('no answer to any command, and heartbeats all the while: each times out, the station stays', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  const ids = ['r1', 'r2', 'r3']
  for (const id of ids) world.broadcast('SN1', { command: 'Reset', id, payload: { type: 'Soft' } })
  for (const id of ids) {
    assert.equal((await station.next())[1], id)
    await world.pass(20_000, 1_000)
    station.call('Heartbeat', {}, `beside ${id}`)
    assert.deepEqual((await station.next()).slice(0, 2), [3, `beside ${id}`])
    await world.pass(10_000, 1_000)
    assert.deepEqual(dataOf(await world.rpc.next('error')).id, id)
  }
  assert.equal(station.socket.closed, null)
})

test('a CALLERROR of four elements: the app gets its code', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  world.broadcast('SN1', { command: 'GetConfiguration', id: 'g', payload: {} })
  await station.next()
  station.says('[4, "g", "FormationViolation", ""]')
  assert.equal(dataOf(await world.rpc.next('error'))['code'], 'FormationViolation')
})

test('a CALLERROR for an answer of ours: nothing is said to it', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  station.call('StatusNotification', {}, 's')
  await station.next()
  const heard = station.got.length
  station.says([4, 's', 'OccurrenceConstraintViolation', 'a field is missing', {}])
  await quiet()
  assert.equal(station.got.length, heard)
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'answer_to_nothing' }), 1)
})

for (const [text, because] of [
  ['[3,"g",[{"key":"a"}]]', 'an answer that is a list'],
  ['[3,"g","Accepted"]', 'an answer that is a word'],
  ['[3,"g"]', 'an answer without a payload'],
  ['[3,"g",{"status":"Accepted"},{}]', 'an answer with an element too many'],
] as const) {
  test(`${because}: the command ends at once as InvalidResult, and the next one goes out`, async t => {
    const world = new FakeWorld(t)
    const station = world.plug('CP1')
    await station.boot('SN1')
    for (const id of ['g', 'h']) world.broadcast('SN1', { command: 'GetConfiguration', id, payload: {} })
    await station.next()
    station.says(text)
    assert.equal((await station.next())[1], 'h')
    const { id, code } = dataOf(await world.rpc.next('error'))
    assert.deepEqual([id, code], ['g', 'InvalidResult'])
  })
}

test('heartbeats without end: each is answered, and the app hears of none', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  const asked = world.rpc.made.all.length
  for (let count = 0; count < 1_000; count++) station.call('Heartbeat')
  await quiet()
  assert.equal(station.got.length, 1 + 1_000)
  assert.equal(world.rpc.made.all.length, asked)
})

test('messages that are no JSON, now and then: no word to them, and the station stays', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  for (let count = 0; count < 40; count++) {
    station.says('[2,"m","MeterValues",{"connectorId":1,"meterValue":[{"sampledValue":[,{"value":"1"}]}]}]')
    station.says('[3,"g",{"configurationKey":[]')
    station.says('[2,"n","DataTransfer",{"vendorId":"V\u0000"}]')
    station.call('Heartbeat')
    await station.next()
  }
  assert.equal(station.got.length, 1 + 40)
  assert.equal(station.socket.closed, null)
  assert.equal(world.meter.total('failed_client_msg_total'), 120)
})

test('messages of the security extension, unasked: performed, and confirmed', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  station.call('SecurityEventNotification', { type: 'StartupOfTheDevice', timestamp: '2026-01-02T03:04:05Z' }, 's')
  assert.deepEqual(await station.next(), [3, 's', {}])
  assert.equal(performed(world, 'SecurityEventNotification').length, 1)
})

test('1.6 spoken where 2.0.1 was agreed on: what 2.0.1 has is served, the rest is NotImplemented', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1', { version: 'ocpp2.0.1' })
  station.call('BootNotification', { chargePointModel: 'M', chargePointVendor: 'V' }, 'b')
  assert.deepEqual((await station.next()).slice(0, 2), [3, 'b'])
  station.call('StartTransaction', start, 's')
  assert.deepEqual((await station.next()).slice(0, 3), [4, 's', 'NotImplemented'])
  assert.equal(station.socket.closed, null)
})

test('two connections that replace each other again and again: they are slowed down, and one is left', async t => {
  const world = new FakeWorld(t)
  for (let count = 0; count < 6; count++) {
    world.plug('CP1').call('Heartbeat')
    await world.pass(1_000, 100)
  }
  assert.ok(world.meter.total('ocpp_takeover_slowed_total') > 0, 'no swap was slowed down')
  await world.pass(60_000, 1_000)
  assert.equal(world.hub.size, 1)
})
