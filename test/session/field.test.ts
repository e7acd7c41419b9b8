/**
 * Stations that break OCPP-J as real ones do: how the bridge serves their messages and their commands. Most rows of
 * `docs/protocol.md`, "The field", name a test of this file.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  acks,
  dataOf,
  fails,
  FakeWorld,
  faults,
  quiet,
  transmitted,
  type FakeStation,
  type PerformData,
} from '../support/fakes.ts'

/** The performs of an OCPP action so far. */
function performed(world: FakeWorld, action: string): PerformData[] {
  const performs = world.rpc.made.all.filter(({ command }) => command === 'message').map(dataOf)
  return performs.filter(({ command }) => command === action)
}

/** The answers that the station got under a message id. */
const answersTo = (station: FakeStation, id: string) => station.got.filter(([type, of]) => type !== 2 && of === id)

/** An app whose transactions are numbered from 1. */
function numbersTransactions(world: FakeWorld): void {
  let transactionId = 0
  world.rpc.on('start_transaction', call =>
    acks({ idTagInfo: { status: 'Accepted' }, transactionId: ++transactionId })(call),
  )
}

const start = { connectorId: 1, idTag: 'A', meterStart: 0, timestamp: '2026-01-02T03:04:05Z' }

test('each boot under the same id is performed, and gets the current time', async t => {
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

test('ids that start from 1 again after a restart belong to new messages', async t => {
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

test('a StartTransaction that is repeated before its answer is performed once and answered once', async t => {
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
  test(`a StartTransaction that is repeated after its answer gets the same answer ${where}`, async t => {
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

test('a StartTransaction that is repeated under a new id gets the same answer, and is performed once', async t => {
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

test('a StartTransaction that is repeated after its stop is performed again, under the same key', async t => {
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

test('a TransactionEvent that is repeated under a new id and is now offline is performed again, under the same key', async t => {
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

test('each StartTransaction is performed under a key of its own when the clock was never set', async t => {
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
  ['milliseconds', '2026-01-02T03:04:05.000Z', 'currentTime has milliseconds'],
  ['seconds', '2026-01-02T03:04:05Z', 'currentTime has whole seconds for a station that rejects fractions'],
] as const) {
  test(`${because} when ocpp_timestamps is ${timestamps}`, async t => {
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

test('a StopTransaction that is repeated under its id with another transactionId is performed, too', async t => {
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

/** The id as the station writes it, and why. */
const transactionIds = [
  ['-1', 'the transactionId -1 of a start that had no answer'],
  ['0', 'the transactionId 0 of a station that did not keep it'],
  ['9223372036854775807', 'the transactionId 9223372036854775807 of a station that has none'],
] as const
for (const [transactionId, because] of transactionIds) {
  test(`${because} is stopped and metered like any other`, async t => {
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
      assert.ok(world.rpc.made.all.at(-1)?.data?.includes(`"payload":${payload}`), 'the payload is unchanged')
    }
  })
}

for (const [status, expected, because] of [
  ['Accepted', [3, 's', {}], 'a StatusNotification right behind a boot that is accepted'],
  ['Pending', [4, 's', 'SecurityError'], 'a StatusNotification right behind a boot that is answered Pending'],
] as const) {
  test(`${because} waits for the answer to the boot`, async t => {
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

test('a StatusNotification without a boot is served, and the station is subscribed by its id', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  station.call('StatusNotification', {}, 's')
  assert.deepEqual(await station.next(), [3, 's', {}])
  assert.deepEqual(world.rpc.names(), ['connect', 'subscribe', 'status_notification'])
  assert.match((await world.rpc.next('subscribe')).identifier ?? '', /"sn":"CP1"/)
})

test('a CALL gets a SecurityError while the station is pending, and each boot is performed', async t => {
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

test('a triggered message passes before the answer to its trigger, even while the station is pending', async t => {
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

test('a trigger ends with its answer, and the next command is sent, when the triggered message never comes', async t => {
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

test('an answer with an unknown id is dropped, the open command times out, and the next one is sent', async t => {
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

test('each command without an answer times out, and the station stays connected when it sends heartbeats', async t => {
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

test('a CALLERROR of four elements performs error with its code', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  world.broadcast('SN1', { command: 'GetConfiguration', id: 'g', payload: {} })
  await station.next()
  station.says('[4, "g", "FormationViolation", ""]')
  assert.equal(dataOf(await world.rpc.next('error'))['code'], 'FormationViolation')
})

for (const [details, what] of [
  ['ConnectorLockFailure', 'a text'],
  [['locked', 7], 'a list'],
  [7, 'a number'],
] as const) {
  test(`errorDetails that are ${what} reach the app as details, and the payload stays an object`, async t => {
    const world = new FakeWorld(t)
    const station = world.plug('CP1')
    await station.boot('SN1')
    world.broadcast('SN1', { command: 'UnlockConnector', id: 'u', payload: { connectorId: 1 } })
    await station.next()
    station.says([4, 'u', 'InternalError', 'no', details])
    const data = dataOf(await world.rpc.next('error'))
    assert.deepEqual(
      [data['code'], data['message'], data.payload, data['details']],
      ['InternalError', 'no', {}, details],
    )
  })
}

test('a CALLERROR that answers an answer is dropped, and not answered', async t => {
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
  test(`${because} ends its command at once as InvalidResult, and the next command is sent`, async t => {
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

test('each of 1,000 heartbeats is answered, and none is performed', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  const asked = world.rpc.made.all.length
  for (let count = 0; count < 1_000; count++) station.call('Heartbeat')
  await quiet()
  assert.equal(station.got.length, 1 + 1_000)
  assert.equal(world.rpc.made.all.length, asked)
})

test('CALLs that are not JSON get a CALLERROR under their ids, truncated answers get none, and the station stays connected', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  for (let count = 0; count < 40; count++) {
    station.says('[2,"m","MeterValues",{"connectorId":1,"meterValue":[{"sampledValue":[,{"value":"1"}]}]}]')
    station.says('[3,"g",{"configurationKey":[]')
    station.says('[2,"n","DataTransfer",{"vendorId":"V\u0000"}]')
  }
  await world.pass(120_000, 1_000)
  for (const id of ['m', 'n']) {
    const answers = answersTo(station, id)
    assert.equal(answers.length, 40)
    assert.deepEqual(answers[0]?.slice(0, 3), [4, id, 'FormationViolation'])
  }
  assert.equal(station.got.length, 1 + 80)
  assert.equal(station.socket.closed, null)
  assert.equal(world.meter.total('failed_client_msg_total'), 120)
})

test('a message of the security extension is performed and confirmed', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  station.call('SecurityEventNotification', { type: 'StartupOfTheDevice', timestamp: '2026-01-02T03:04:05Z' }, 's')
  assert.deepEqual(await station.next(), [3, 's', {}])
  assert.equal(performed(world, 'SecurityEventNotification').length, 1)
})

test('2.0.1 serves actions that it shares with 1.6, and answers other actions of 1.6 with NotImplemented', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1', { version: 'ocpp2.0.1' })
  station.call('BootNotification', { chargePointModel: 'M', chargePointVendor: 'V' }, 'b')
  assert.deepEqual((await station.next()).slice(0, 2), [3, 'b'])
  station.call('StartTransaction', start, 's')
  assert.deepEqual((await station.next()).slice(0, 3), [4, 's', 'NotImplemented'])
  assert.equal(station.socket.closed, null)
})

test('two connections that keep replacing each other are slowed down, and one is left', async t => {
  const world = new FakeWorld(t)
  for (let count = 0; count < 6; count++) {
    world.plug('CP1').call('Heartbeat')
    await world.pass(1_000, 100)
  }
  assert.ok(world.meter.total('ocpp_takeover_slowed_total') > 0, 'no takeover was slowed down')
  await world.pass(60_000, 1_000)
  assert.equal(world.hub.size, 1)
})

for (const [first, title] of [
  [true, 'before anything else'],
  [false, 'after its boot'],
] as const) {
  test(`a command that is answered on the next connection, ${title}, performs one late ack after ConnectionClosed`, async t => {
    const world = new FakeWorld(t)
    const before = world.plug('CP1')
    await before.boot('SN1')
    world.broadcast('SN1', { command: 'RemoteStartTransaction', id: 'r', payload: { idTag: 'A' } })
    await before.next()
    before.vanish()
    await world.pass(100)
    const station = world.plug('CP1')
    if (!first) await station.boot('SN1')
    station.says([3, 'r', { status: 'Accepted' }], [3, 'r', { status: 'Accepted' }])
    if (first) station.call('Heartbeat')
    await world.pass(1_000)
    const outcomes = [...performed(world, 'Error'), ...performed(world, 'Ack')]
    assert.deepEqual(
      outcomes.map(({ id, action, payload, code, request, late, sid }) => ({
        ...{ id, action, payload, code, request, late, sid },
      })),
      [
        {
          ...{ id: 'r', action: 'error', payload: {}, code: 'ConnectionClosed', request: 'RemoteStartTransaction' },
          ...{ late: undefined, sid: before.sid },
        },
        {
          ...{ id: 'r', action: 'ack', payload: { status: 'Accepted' }, code: undefined },
          ...{ request: 'RemoteStartTransaction', late: true, sid: before.sid },
        },
      ],
    )
    assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'answer_to_nothing' }), 1, 'the second answer')
  })
}

test('a command that is answered on the next connection while the old one is half-open performs one late ack', async t => {
  const world = new FakeWorld(t)
  const before = world.plug('CP1')
  await before.boot('SN1')
  world.broadcast('SN1', { command: 'Reset', id: 'r', payload: { type: 'Soft' } })
  await before.next()
  const station = world.plug('CP1')
  station.says([3, 'r', { status: 'Accepted' }])
  station.call('Heartbeat')
  await world.pass(2_000)
  assert.equal(before.socket.closed?.code, 1008)
  assert.deepEqual(
    performed(world, 'Error').map(({ code }) => code),
    ['ConnectionClosed'],
  )
  assert.deepEqual(
    performed(world, 'Ack').map(({ late, sid }) => [late, sid]),
    [[true, before.sid]],
  )
})

/** A station whose last connection has left the command `r` unanswered, and its serial number remembered. */
async function leftUnanswered(t: TestContext) {
  const world = new FakeWorld(t)
  const before = world.plug('CP1')
  await before.boot('SN1')
  world.broadcast('SN1', { command: 'Reset', id: 'r', payload: { type: 'Soft' } })
  await before.next()
  before.vanish()
  await world.pass(100)
  const dropped = (): number => world.meter.total('ocpp_dropped_total', { reason: 'answer_to_nothing' })
  return { world, rpc: world.rpc, station: world.plug('CP1'), dropped }
}

const answerToReset = [3, 'r', { status: 'Accepted' }]

test('an answer to a command of the last connection attaches the station when it says nothing else', async t => {
  const { world, rpc, station, dropped } = await leftUnanswered(t)
  const before = rpc.names().length
  station.says(answerToReset)
  await quiet()
  assert.deepEqual(rpc.names().slice(before), ['connect', 'subscribe', 'ack'])
  assert.equal(performed(world, 'Ack')[0]?.['late'], true)
  assert.equal(station.session.isHeard, true)
  assert.equal(dropped(), 0)
})

for (const text of ['[3,"r",{"status":}]', '[4,"r","InternalError",]', '[3,"r",[]]']) {
  test(`a broken answer to a command of the last connection, ${text}, is a late InvalidResult before any CALL`, async t => {
    const { world, rpc, station, dropped } = await leftUnanswered(t)
    const before = rpc.names().length
    station.says(text)
    await quiet()
    assert.deepEqual(rpc.names().slice(before), ['connect', 'subscribe', 'error'])
    const told = performed(world, 'Error').at(-1)
    assert.deepEqual([told?.['code'], told?.['late'], dropped()], ['InvalidResult', true, 0])
  })
}

test('an answer before the station is attached is dropped when the app is away, and the station stays', async t => {
  const { world, rpc, station, dropped } = await leftUnanswered(t)
  rpc.once('connect', fails(faults.absent))
  station.says(answerToReset)
  station.call('Heartbeat', {}, 'h')
  assert.equal((await station.next())[1], 'h')
  assert.equal(dropped(), 1)
  assert.deepEqual(performed(world, 'Ack'), [])
  assert.equal(station.socket.closed, null)
})

test('an answer before the station is attached does not end a command that was sent later under its id', async t => {
  const { world, rpc, station, dropped } = await leftUnanswered(t)
  rpc.once('subscribe', () => transmitted({ command: 'Reset', id: 'new', payload: { type: 'Soft' } }))
  station.says([3, 'new', { status: 'Accepted' }])
  assert.deepEqual((await station.next()).slice(0, 3), [2, 'new', 'Reset'])
  await quiet()
  assert.equal(dropped(), 1)
  assert.deepEqual(performed(world, 'Ack'), [])
})

test('answers before the station is attached pause its socket when the inbox is full, and are dropped when it leaves', async t => {
  const { world, rpc, station, dropped } = await leftUnanswered(t)
  const connect = rpc.hold('connect')
  for (let id = 0; id < 100; id++) station.says([3, String(id), {}])
  await connect.arrived()
  assert.equal(station.socket.isPaused, true)
  assert.equal(station.socket.unread.length, 35)
  station.vanish()
  assert.equal(dropped(), 64)
  connect.release()
  await world.pass(100)
  assert.equal(dropped(), 65)
})

test('an answer before the station is attached is dropped when the bridge is shutting down', async t => {
  const { world, rpc, station, dropped } = await leftUnanswered(t)
  const connect = rpc.hold('connect')
  station.call('Heartbeat')
  await connect.arrived()
  const drained = world.hub.drain(1_000)
  station.says(answerToReset)
  assert.equal(dropped(), 1)
  connect.release()
  await world.pass(100)
  await drained
})

test('a peer that the app rejects settles no command of the station that it says it is', async t => {
  const world = new FakeWorld(t)
  const before = world.plug('CP1')
  await before.boot('SN1')
  world.broadcast('SN1', { command: 'Reset', id: 'r', payload: { type: 'Soft' } })
  await before.next()
  before.vanish()
  await world.pass(100)
  world.rpc.once('connect', () => ({ status: 'failure' }))
  const peer = world.plug('CP1')
  peer.says([3, 'r', { status: 'Rejected' }])
  peer.call('Heartbeat')
  await world.pass(2_000)
  assert.equal(peer.socket.closed?.code, 1008)
  const station = world.plug('CP1')
  await station.boot('SN1')
  station.says([3, 'r', { status: 'Accepted' }])
  await world.pass(100)
  assert.deepEqual(
    performed(world, 'Ack').map(({ payload }) => payload),
    [{ status: 'Accepted' }],
  )
})
