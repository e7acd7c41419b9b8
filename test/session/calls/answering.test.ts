import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { RpcError } from '../../../src/cable/rpc.ts'
import type { JsonText } from '../../../src/ocpp/json.ts'
import type { Version } from '../../../src/ocpp/version.ts'
import type { SessionSettings } from '../../../src/session/settings.ts'
import {
  acks,
  dataOf,
  dawn,
  fails,
  FakeWorld,
  faults,
  quiet,
  transmitted,
  type FakeStation,
  type Script,
} from '../../support/fakes.ts'

/** A station that has booted, and its world. */
async function setUp(t: TestContext, settings: Partial<SessionSettings> = {}) {
  const world = new FakeWorld(t, settings)
  world.rpc.once('boot_notification', acks({ status: 'Accepted' }))
  const station = world.plug('CP1')
  await station.boot('SN1')
  return { world, rpc: world.rpc, station }
}

const now = new Date(dawn).toISOString()
const forwardHeartbeats = { forwardHeartbeats: true }
const answersErrors = { unanswered: 'error' } as const
const refuses: Script = () => ({ status: 'failure' })
const silent: Script = () => ({})

const internal = 'The CSMS could not process the message'
const rows: readonly [string, string, Script, unknown[]][] = [
  ['BootNotification', 'is silent', silent, [3, { status: 'Accepted', currentTime: now, interval: 30 }]],
  ['BootNotification', 'raises', fails(faults.raised), [3, { status: 'Pending', currentTime: now, interval: 13 }]],
  ['BootNotification', 'is away', fails(faults.absent), [3, { status: 'Pending', currentTime: now, interval: 13 }]],
  ['BootNotification', 'refuses', refuses, [3, { status: 'Rejected', currentTime: now, interval: 45 }]],
  ['Heartbeat', 'is silent', silent, [3, { currentTime: now }]],
  ['Heartbeat', 'raises', fails(faults.raised), [3, { currentTime: now }]],
  ['Heartbeat', 'is too slow', fails(faults.slow), [3, { currentTime: now }]],
  ['Heartbeat', 'refuses', refuses, [3, { currentTime: now }]],
  ['Authorize', 'is silent', silent, [3, { idTagInfo: { status: 'Invalid' } }]],
  ['Authorize', 'is away', fails(faults.absent), [4, 'InternalError', internal, {}]],
  ['Authorize', 'is too slow', fails(faults.slow), [4, 'InternalError', internal, {}]],
  ['Authorize', 'refuses', refuses, [4, 'GenericError', 'The CSMS refused the message', {}]],
  ['StartTransaction', 'is silent', silent, [4, 'InternalError', internal, {}]],
  ['StartTransaction', 'raises', fails(faults.raised), [4, 'InternalError', internal, {}]],
  ['StartTransaction', 'refuses', refuses, [4, 'GenericError', 'The CSMS refused the message', {}]],
  ['MeterValues', 'is silent', silent, [3, {}]],
  ['MeterValues', 'raises', fails(faults.raised), [4, 'InternalError', internal, {}]],
  ['StatusNotification', 'is silent', silent, [3, {}]],
  ['StatusNotification', 'loses the connection', fails(faults.lost), [4, 'InternalError', internal, {}]],
  ['StatusNotification', 'refuses', refuses, [4, 'GenericError', 'The CSMS refused the message', {}]],
]
for (const [action, how, script, [type, ...answer]] of rows) {
  test(`${action} is answered with ${JSON.stringify(answer[0])} after one perform when the app ${how}`, async t => {
    const { rpc, station } = await setUp(t, { ...forwardHeartbeats, ...answersErrors })
    const before = rpc.names().length
    rpc.otherwise(script)
    station.call(action, { chargePointSerialNumber: 'SN1' }, 'x')
    assert.deepEqual(await station.next(), [type, 'x', ...answer])
    assert.equal(rpc.names().length, before + 1)
    assert.equal(station.socket.closed, null)
  })
}

const unauthorized: readonly [string, unknown[]][] = [
  ['BootNotification', [3, 'x', { status: 'Rejected', currentTime: now, interval: 45 }]],
  ['Heartbeat', [4, 'x', 'SecurityError', 'The CSMS does not accept this Charging Station', {}]],
  ['Authorize', [4, 'x', 'SecurityError', 'The CSMS does not accept this Charging Station', {}]],
  ['StartTransaction', [4, 'x', 'SecurityError', 'The CSMS does not accept this Charging Station', {}]],
  ['MeterValues', [4, 'x', 'SecurityError', 'The CSMS does not accept this Charging Station', {}]],
  ['StatusNotification', [4, 'x', 'SecurityError', 'The CSMS does not accept this Charging Station', {}]],
]
for (const [action, answer] of unauthorized) {
  for (const name of ['connect', 'subscribe']) {
    test(`${action} is answered, and the session closes with 1008, when ${name} returns FAILURE`, async t => {
      const world = new FakeWorld(t, answersErrors)
      world.rpc.once(name, refuses)
      const station = world.plug('CP1')
      station.call(action, {}, 'x')
      assert.deepEqual(await station.next(), answer)
      assert.equal((await station.socket.end()).code, 1008)
      assert.equal(world.meter.total('failed_auths_total'), 1)
    })
  }
}

for (const [name, fault] of Object.entries(faults)) {
  test(`a boot is answered Pending, a Heartbeat is answered, and the session stays open when Connect fails: ${name}`, async t => {
    const world = new FakeWorld(t)
    world.rpc.once('connect', fails(fault))
    world.rpc.once('connect', fails(fault))
    const one = world.plug('CP1')
    const two = world.plug('CP2')
    assert.deepEqual((await one.boot())[2], { status: 'Pending', currentTime: now, interval: 13 })
    two.call('Heartbeat', {}, 'h')
    assert.deepEqual(await two.next(), [3, 'h', { currentTime: now }])
    assert.deepEqual((await one.boot())[2], { status: 'Accepted', currentTime: now, interval: 30 })
    assert.equal(one.socket.closed, null)
  })
}

/** Boots `count` stations at once while the app is away; returns the `interval` of each. */
async function intervalsOf(world: FakeWorld, name: string, count: number): Promise<number[]> {
  for (let at = 0; at < count; at++) world.rpc.once('connect', fails(faults.absent))
  const stations = Array.from({ length: count }, (_, at) => world.plug(`${name}${at}`))
  const answers = await Promise.all(stations.map(station => station.boot()))
  return answers.map(([, , payload]) => (payload as { interval: number }).interval)
}

test('stations that boot while the app is away get successive slots, whichever version they speak', async t => {
  const world = new FakeWorld(t)
  const waits = await intervalsOf(world, 'A', 100)
  assert.deepEqual([waits[0], waits.at(-1)], [13, 15], 'fifty a second')
  world.rpc.once('connect', fails(faults.absent))
  const [, , payload] = await world.plug('B', { version: 'ocpp2.1' }).boot()
  assert.equal((payload as { interval: number }).interval, 15, 'behind the others')
})

test('a station that boots again before its slot keeps the slot', async t => {
  const world = new FakeWorld(t)
  world.rpc.on('connect', fails(faults.absent))
  const station = world.plug('CP1')
  for (let boots = 0; boots < 100; boots++)
    assert.equal(((await station.boot())[2] as { interval: number }).interval, 13)
})

test('a rejected station takes no slot in the boot schedule', async t => {
  const world = new FakeWorld(t)
  for (let at = 0; at < 100; at++) {
    world.rpc.once('connect', refuses)
    await world.plug(`R${at}`).boot()
  }
  assert.deepEqual(await intervalsOf(world, 'A', 1), [13])
})

const leaving: readonly (readonly [name: string, actions: readonly string[], because: string])[] = [
  ['connect', ['BootNotification'], 'the app fails when the station has left'],
  ['connect', ['StatusNotification', 'BootNotification'], 'the boot never reaches the app'],
]
for (const [name, actions, because] of leaving) {
  test(`a boot takes no slot in the boot schedule when its station has left: ${because}`, async t => {
    const world = new FakeWorld(t)
    const calls = Array.from({ length: 1_000 }, () => world.rpc.hold(name))
    const stations = calls.map((_, at) => world.plug(`G${at}`))
    for (const station of stations) for (const action of actions) station.call(action)
    await quiet()
    for (const station of stations) station.vanish()
    for (const call of calls) call.reject(faults.absent)
    await quiet()
    assert.deepEqual(await intervalsOf(world, 'A', 1), [13])
  })
}

test('intervals of Pending answers follow the pace at which the app accepts stations, with a boot or without', async t => {
  const world = new FakeWorld(t)
  for (let second = 0; second < 4; second++) {
    for (let at = 0; at < 5; at++) {
      const station = world.plug(`in-${second}-${at}`)
      station.call(at === 0 ? 'Heartbeat' : 'BootNotification')
      await station.next()
    }
    await world.pass(1_000, 100)
  }
  const waits = await intervalsOf(world, 'A', 60)
  assert.ok((waits.at(-1) ?? 0) >= 13 + 30 / 5, `${String(waits.at(-1))} s: the app accepts five a second`)
})

test('a CALLERROR does not reveal why the app failed', async t => {
  const { rpc, station } = await setUp(t)
  for (const fault of [faults.absent, faults.raised]) {
    rpc.once('authorize', fails(fault))
    station.call('Authorize')
    assert.doesNotMatch(JSON.stringify(await station.next()), /10\.0\.0\.7|charge!/)
  }
})

test('a Heartbeat is answered without a perform when heartbeats are not forwarded', async t => {
  const { rpc, station } = await setUp(t)
  station.call('Heartbeat', {}, 'h')
  assert.deepEqual(await station.next(), [3, 'h', { currentTime: now }])
  assert.deepEqual(rpc.names(), ['connect', 'subscribe', 'boot_notification'])
})

test('a forwarded Heartbeat gets the time of the app, or the time of the bridge when the Ack has none', async t => {
  const { rpc, station } = await setUp(t, forwardHeartbeats)
  rpc.once('heartbeat', acks({ currentTime: '2030-01-01T00:00:00Z' }))
  station.call('Heartbeat', {}, 'h1')
  assert.deepEqual(await station.next(), [3, 'h1', { currentTime: '2030-01-01T00:00:00Z' }])
  rpc.once('heartbeat', acks({}))
  station.call('Heartbeat', {}, 'h2')
  assert.deepEqual(await station.next(), [3, 'h2', { currentTime: now }])
})

const completed: readonly [string, object, object][] = [
  ['a status alone', { status: 'Accepted' }, { status: 'Accepted', currentTime: now, interval: 30 }],
  ['an interval', { status: 'Pending', interval: 7 }, { status: 'Pending', interval: 7, currentTime: now }],
  ['a whole answer', { status: 'Accepted', currentTime: 'T', interval: 0 }, { status: 'Accepted', currentTime: 'T', interval: 0 }], // prettier-ignore
]
for (const [what, payload, answer] of completed) {
  test(`the Ack of a boot with ${what} is completed before it is sent`, async t => {
    const world = new FakeWorld(t)
    world.rpc.once('boot_notification', acks(payload))
    assert.deepEqual((await world.plug('CP1').boot())[2], answer)
  })
}

test('the payload of the app is sent byte for byte, under the id as the station wrote it', async t => {
  const { rpc, station } = await setUp(t)
  rpc.once('data_transfer', () => ({
    transmissions: ['{"identifier":"I","message":{"command":"Ack","payload":{ "n" : 2935.600,"n":1e0 },"id":"42"}}'],
  }))
  station.says('[2,42,"DataTransfer",{"x": 1.50}]')
  await station.next()
  assert.equal(station.socket.sent.all.at(-1), '[3,42,{ "n" : 2935.600,"n":1e0 }]')
  assert.match(rpc.made.all.at(-1)?.data ?? '', /"id":42,.*"payload":\{"x": 1\.50\},"version":"1\.6"\}$/)
})

test('an Error of the app is sent as a CALLERROR with its words, and the code as the version spells it', async t => {
  const { rpc, station } = await setUp(t)
  const error = { command: 'Error', id: 'a', code: 'FormatViolation', message: 'no idTag', payload: { field: 'idTag' } }
  rpc.once('authorize', () => transmitted(error))
  station.call('Authorize', {}, 'a')
  assert.deepEqual(await station.next(), [4, 'a', 'FormationViolation', 'no idTag', { field: 'idTag' }])
})

const ack = (id: string, status = 'Accepted') => ({ command: 'Ack', id, payload: { idTagInfo: { status } } })
const answerOf = (id: string, status = 'Accepted') => [3, id, { idTagInfo: { status } }]

test('an Ack that is broadcast while the action runs is sent at once, and later Acks are dropped', async t => {
  const { world, rpc, station } = await setUp(t)
  const running = rpc.hold('authorize')
  station.call('Authorize', {}, 'a')
  await running.arrived()
  world.broadcast('SN1', ack('a'))
  assert.deepEqual(await station.next(), answerOf('a'))
  world.broadcast('SN1', ack('a', 'Blocked'))
  running.release(transmitted(ack('a', 'Expired')))
  await quiet()
  assert.equal(station.got.length, 2)
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'ack_for_nothing' }), 2)
})

test('an Ack is awaited for ackTimeoutMs after the action has run, and not longer', async t => {
  const { world, station } = await setUp(t, { ackTimeoutMs: 1_000 })
  station.call('Authorize', {}, 'a')
  await world.pass(999)
  world.broadcast('SN1', ack('a'))
  assert.deepEqual(await station.next(), answerOf('a'))
  station.call('Authorize', {}, 'b')
  await quiet()
  await world.pass(1_000)
  assert.deepEqual(await station.next(), answerOf('b', 'Invalid'))
  world.broadcast('SN1', ack('b'))
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'ack_for_nothing' }), 1)
})

test('an Ack that is broadcast after the reply is dropped when ackTimeoutMs is 0', async t => {
  const { world, station } = await setUp(t)
  station.call('Authorize', {}, 'a')
  assert.deepEqual(await station.next(), answerOf('a', 'Invalid'))
  world.broadcast('SN1', ack('a'))
  await quiet()
  assert.equal(station.got.length, 2)
})

test('a CALL is performed at once when it supersedes a CALL that waits for its Ack', async t => {
  const { world, rpc, station } = await setUp(t, { ackTimeoutMs: 60_000 })
  station.call('Authorize', { idTag: 'A' }, 'x')
  await rpc.next('authorize')
  await quiet()
  rpc.once('status_notification', call => transmitted({ command: 'Ack', id: dataOf(call).id, payload: {} }))
  station.call('StatusNotification', { connectorId: 1 }, 'x')
  assert.deepEqual(await station.next(), [3, 'x', {}])
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'superseded' }), 1)
})

const time = '2026-01-02T03:04:05Z'
const stop = { transactionId: 1, meterStop: 9, timestamp: time }
for (const [action, payload, name, script, answer] of [
  [
    'StartTransaction',
    { connectorId: 1, idTag: 'A', meterStart: 0, timestamp: time },
    'start_transaction',
    acks({ transactionId: 7, idTagInfo: { status: 'Accepted' } }),
    { transactionId: 7, idTagInfo: { status: 'Accepted' } },
  ],
  [
    'StopTransaction',
    stop,
    'stop_transaction',
    acks({ idTagInfo: { status: 'Blocked' } }),
    { idTagInfo: { status: 'Blocked' } },
  ],
  ['StopTransaction', stop, 'stop_transaction', silent, {}],
] as const) {
  test(`a retry of a superseded ${action} gets ${JSON.stringify(answer)}, and is not performed again`, async t => {
    const { world, rpc, station } = await setUp(t)
    const running = rpc.hold(name)
    station.call(action, payload, 'x')
    const call = await running.arrived()
    station.call('Heartbeat', {}, 'x')
    running.release(await script(call))
    await quiet()
    station.vanish()
    const next = world.plug('CP1')
    next.call(action, payload, 'y')
    assert.deepEqual(await next.next(), [3, 'y', answer])
    assert.equal(rpc.names().filter(made => made === name).length, 1)
  })
}

test('a CALL still waits for its Ack when a CALL behind it is superseded', async t => {
  const { rpc, station } = await setUp(t, { ackTimeoutMs: 60_000 })
  station.call('Authorize', { idTag: 'A' }, 'x')
  await rpc.next('authorize')
  await quiet()
  for (const connectorId of [1, 2]) station.call('StatusNotification', { connectorId }, 'y')
  await quiet()
  assert.equal(rpc.names().at(-1), 'authorize')
})

test('a CALL is not performed while the CALL before it waits for its Ack, and then gets its own Ack', async t => {
  const { world, rpc, station } = await setUp(t, { ackTimeoutMs: 1_000 })
  station.says([2, 'a', 'Authorize', {}], [2, 'b', 'Authorize', {}])
  await quiet()
  assert.equal(rpc.names().filter(name => name === 'authorize').length, 1)
  world.broadcast('SN1', ack('b'))
  world.broadcast('SN1', ack('a'))
  await quiet()
  world.broadcast('SN1', ack('b', 'Expired'))
  assert.deepEqual(await station.next(), answerOf('a'))
  assert.deepEqual(await station.next(), answerOf('b', 'Expired'))
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'ack_for_nothing' }), 1)
})

test('an Ack is dropped when it is for another CALL or for another station', async t => {
  const { world, rpc, station } = await setUp(t)
  const two = world.plug('CP2')
  await two.boot('SN2')
  const running = rpc.hold('authorize')
  station.call('Authorize', {}, 'a')
  await running.arrived()
  world.broadcast('SN1', ack('z'))
  world.broadcast('SN2', ack('a'))
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'ack_for_nothing' }), 2)
  assert.equal(station.got.length + two.got.length, 2)
  running.release(transmitted(ack('a')))
  assert.deepEqual(await station.next(), answerOf('a'))
})

test('the wait for an Ack ends when the connection ends', async t => {
  const { world, station } = await setUp(t, { ackTimeoutMs: 10_000 })
  station.call('Authorize')
  await quiet()
  station.vanish()
  await world.pass(10)
  await station.ended()
})

test('a drain waits for the Ack of a CALL in flight, and then closes the connection', async t => {
  const { world, rpc, station } = await setUp(t, { ackTimeoutMs: 10_000 })
  const running = rpc.hold('authorize')
  station.call('Authorize', {}, 'a')
  await running.arrived()
  void world.hub.drain(10_000)
  running.release()
  await quiet()
  world.broadcast('SN1', { command: 'Ack', id: 'a', payload: { idTagInfo: { status: 'Accepted' } } })
  assert.deepEqual(await station.next(), answerOf('a', 'Accepted'))
  assert.equal((await station.socket.end()).code, 1001)
})

const calls: readonly [string, string, string][] = [
  ['MakeCoffee', 'NotImplemented', 'an action that no version has'],
  ['NotifyReport', 'NotImplemented', 'an action of another version'],
  ['Reset', 'NotSupported', 'an action that the CSMS sends'],
  ['Subscribed', 'NotImplemented', 'a callback of Action Cable'],
  ['Ack', 'NotImplemented', 'the channel action of an answer'],
  ['Receive', 'NotImplemented', 'the channel action for all messages'],
  ['boot_notification', 'NotImplemented', 'a channel action, not an OCPP action'],
  ['constructor', 'NotImplemented', 'a property of every object'],
]
for (const [action, code, because] of calls) {
  test(`${action} is answered with ${code} and not performed: ${because}`, async t => {
    const { world, rpc, station } = await setUp(t)
    station.call(action, {}, 'x')
    assert.deepEqual((await station.next()).slice(0, 3), [4, 'x', code])
    assert.equal(rpc.names().length, 3)
    assert.equal(world.meter.total('ocpp_call_total', { answer: 'rejected' }), 1)
  })
}

test('ocpp_call_total counts who answered, and an action that no version has as `other`', async t => {
  const { world, rpc, station } = await setUp(t)
  rpc.once('authorize', acks({}))
  for (const action of ['Authorize', 'StatusNotification', 'Heartbeat', 'MakeCoffee']) {
    station.call(action)
    await station.next()
  }
  const counted = [
    ['BootNotification', 'app'],
    ['Authorize', 'app'],
    ['StatusNotification', 'silent'],
    ['Heartbeat', 'local'],
    ['other', 'rejected'],
  ]
  for (const [action = '', answer = ''] of counted) {
    assert.equal(world.meter.total('ocpp_call_total', { version: '1.6', action, answer }), 1, action)
  }
})

test('ocpp_call_seconds observes the time from the arrival of a CALL to its answer', async t => {
  const { world, rpc, station } = await setUp(t)
  const running = rpc.hold('authorize')
  station.says([2, 'a', 'Authorize', {}], [2, 'b', 'StatusNotification', {}])
  await world.pass(2_000)
  running.release()
  await station.next()
  await station.next()
  assert.deepEqual(world.meter.observed.slice(1), [
    ['ocpp_call_seconds', 2],
    ['ocpp_call_seconds', 2],
  ])
})

test('a silent decision is logged once per action, and an exception of the app once per action and message', async t => {
  const { world, rpc, station } = await setUp(t)
  const other = new RpcError('application', 'ran', 'ActiveRecord::StatementTimeout')
  for (const fault of [faults.raised, faults.raised, other, other]) rpc.once('status_notification', fails(fault))
  for (const action of ['Authorize', 'Authorize', ...new Array<string>(5).fill('StatusNotification')]) {
    station.call(action)
    await station.next()
  }
  const raised = 'raised StatusNotification'
  const keys = ['silent Authorize', `${raised} ${faults.raised.message}`, `${raised} ${other.message}`]
  assert.deepEqual([...world.notices.keys()], keys)
})

const enough = 'with an empty payload'
/** The version, the CALL, and what the warning says to do; `null` for no warning. */
const silences: readonly (readonly [Version, string, object, string | null])[] = [
  ['ocpp1.6', 'BootNotification', {}, null],
  ['ocpp1.6', 'StatusNotification', {}, null],
  ['ocpp1.6', 'StartTransaction', {}, 'define start_transaction in the channel and transmit an Ack, with transactionId and idTagInfo'], // prettier-ignore
  ['ocpp1.6', 'StopTransaction', {}, `define stop_transaction in the channel and transmit an Ack, ${enough}`],
  ['ocpp1.6', 'MeterValues', {}, `define meter_values in the channel and transmit an Ack, ${enough}`],
  ['ocpp2.0.1', 'MeterValues', {}, `define meter_values in the channel and transmit an Ack, ${enough}`],
  ['ocpp2.1', 'TransactionEvent', {}, `define transaction_event in the channel and transmit an Ack, with idTokenInfo if the event has an idToken, else ${enough}`], // prettier-ignore
]
for (const [version, action, payload, fix] of silences) {
  test(`a silent ${action} of ${version} draws ${fix === null ? 'no warning' : 'one warning'}`, async t => {
    const world = new FakeWorld(t)
    const station = world.plug('CP1', { version })
    for (let count = 0; count < 2; count++) {
      station.call(action, payload)
      await station.next()
    }
    const expected = fix === null ? [] : [`the app performed a transaction message without an Ack: ${fix}`]
    assert.deepEqual([...world.notices.values()], expected)
  })
}

test('a transaction message draws no warning when its Ack has an empty payload', async t => {
  const { world, rpc, station } = await setUp(t)
  rpc.on('stop_transaction', acks({}))
  station.call('StopTransaction', { transactionId: 7 }, 'x')
  assert.deepEqual(await station.next(), [3, 'x', {}])
  assert.deepEqual([...world.notices.values()], [])
})

test('the warning about a silent transaction message names receive when actions are not granular', async t => {
  const { world, station } = await setUp(t, { granularActions: false })
  station.call('StopTransaction', { transactionId: 7 })
  await station.next()
  const fix = `handle StopTransaction in receive and transmit an Ack, ${enough}`
  assert.deepEqual([...world.notices.values()], [`the app performed a transaction message without an Ack: ${fix}`])
})

test('a silent transaction message draws no warning when the operator has set its answer', async t => {
  const silentAnswers = { MeterValues: { kind: 'payload', payload: '{}' as JsonText } } as const
  const { world, station } = await setUp(t, { silentAnswers })
  station.call('MeterValues', {})
  await station.next()
  assert.deepEqual([...world.notices.values()], [])
})

test('a transaction message draws no warning when its station leaves during the wait for an Ack', async t => {
  const { world, rpc, station } = await setUp(t, { ackTimeoutMs: 5_000 })
  rpc.once('stop_transaction', silent)
  station.call('StopTransaction', { transactionId: 7 })
  await rpc.next('stop_transaction')
  station.vanish()
  await quiet()
  assert.deepEqual([...world.notices.values()], [])
})

test('a transaction message draws no warning when it is superseded during the wait for an Ack', async t => {
  const { world, rpc, station } = await setUp(t, { ackTimeoutMs: 5_000 })
  rpc.once('stop_transaction', silent)
  rpc.once('stop_transaction', acks({}))
  station.call('StopTransaction', { transactionId: 7 }, 'x')
  await quiet()
  station.call('StopTransaction', { transactionId: 8 }, 'x')
  assert.deepEqual(await station.next(), [3, 'x', {}])
  assert.deepEqual([...world.notices.values()], [])
})

test('a transaction message draws no warning when it is superseded during its perform', async t => {
  const { world, rpc, station } = await setUp(t)
  const running = rpc.hold('stop_transaction')
  station.call('StopTransaction', { transactionId: 7 }, 'x')
  await running.arrived()
  rpc.once('stop_transaction', acks({}))
  station.call('StopTransaction', { transactionId: 8 }, 'x')
  running.release()
  assert.deepEqual(await station.next(), [3, 'x', {}])
  assert.deepEqual([...world.notices.values()], [])
})

test('a transaction message draws no warning when a drain ends the wait for its Ack', async t => {
  const { world, rpc, station } = await setUp(t, { ackTimeoutMs: 60_000 })
  rpc.once('stop_transaction', silent)
  station.call('StopTransaction', { transactionId: 7 }, 'x')
  await quiet()
  void world.hub.drain(1_000)
  await world.pass(1_100)
  assert.deepEqual(station.got.at(-1), [3, 'x', {}])
  assert.deepEqual([...world.notices.values()], [])
})

test('a CALL does not wait for an Ack when a drain runs out of grace during its perform', async t => {
  const { world, rpc, station } = await setUp(t, { ackTimeoutMs: 60_000 })
  const running = rpc.hold('stop_transaction')
  station.call('StopTransaction', { transactionId: 7 }, 'x')
  await running.arrived()
  void world.hub.drain(1_000)
  await world.pass(1_100)
  running.release()
  await quiet()
  assert.deepEqual(station.got.at(-1), [3, 'x', {}])
})

test('a silent boot draws a warning when silent answers are off, because the station stays Pending', async t => {
  const world = new FakeWorld(t, { silentAck: 'off' })
  await world.plug('CP1').boot()
  assert.deepEqual([...world.notices.keys()], ['silent BootNotification'])
})

/** The `attempt` of each perform, `undefined` for none. */
function attempts({ rpc }: FakeWorld, action = 'stop_transaction'): unknown[] {
  return rpc.made.all.filter(({ name }) => name === action).map(call => dataOf(call)['attempt'])
}

const retried: readonly [string, RpcError[], unknown[]][] = [
  ['away', [faults.absent, faults.absent], [undefined, undefined, undefined]],
  ['too slow, then away', [faults.slow, faults.absent], [undefined, 2, 2]],
  ['cut off, then too slow', [faults.lost, faults.slow], [undefined, 2, 3]],
]
for (const [how, failures, expected] of retried) {
  test(`a transaction message is retried until the app replies when the app is ${how}`, async t => {
    const { world, rpc, station } = await setUp(t)
    for (const failure of failures) rpc.once('stop_transaction', fails(failure))
    station.call('StopTransaction', {}, 'x')
    await world.pass(5_000)
    assert.deepEqual(await station.next(), [3, 'x', {}])
    assert.deepEqual(attempts(world), expected)
  })
}

/** The time until the station has its answer, in ms. */
async function answeredAfter(world: FakeWorld, station: FakeStation, longestMs: number): Promise<number> {
  const { length } = station.got
  const began = world.now()
  while (station.got.length === length && world.now() - began < longestMs) await world.pass(100)
  return world.now() - began
}

test('a transaction message is retried for at most 20 s from its arrival, and then gets a CALLERROR', async t => {
  const { world, rpc, station } = await setUp(t, answersErrors)
  rpc.on('start_transaction', fails(faults.absent))
  station.call('StartTransaction', {}, 'x')
  const ms = await answeredAfter(world, station, 30_000)
  assert.ok(ms > 18_000 && ms <= 20_000, `${ms} ms`)
  assert.deepEqual(station.got.at(-1)?.slice(0, 3), [4, 'x', 'InternalError'])
})

test('a transaction message gets a CALLERROR 20 s after its arrival when it waited in the queue', async t => {
  const { world, rpc, station } = await setUp(t, answersErrors)
  for (const name of ['start_transaction', 'stop_transaction']) rpc.on(name, fails(faults.absent))
  station.says([2, 'a', 'StartTransaction', {}], [2, 'b', 'StopTransaction', {}])
  await world.pass(20_000)
  assert.deepEqual(station.got.slice(1).map(([type, id]) => [type, id]), [[4, 'a'], [4, 'b']]) // prettier-ignore
  assert.equal(attempts(world).length, 1)
})

test('a transaction message is not retried when the connection has ended', async t => {
  const { world, rpc, station } = await setUp(t)
  rpc.on('stop_transaction', fails(faults.absent))
  station.call('StopTransaction')
  await world.pass(100)
  station.vanish()
  await world.pass(10)
  await station.ended()
  assert.equal(attempts(world).length, 1)
})

test('a drain ends the retries of a transaction message with a CALLERROR', async t => {
  const { world, rpc, station } = await setUp(t, answersErrors)
  rpc.on('stop_transaction', fails(faults.absent))
  station.call('StopTransaction', {}, 'x')
  await world.pass(100)
  void station.session.drain(10_000)
  assert.deepEqual((await station.next()).slice(0, 3), [4, 'x', 'InternalError'])
  assert.equal((await station.socket.end()).code, 1001)
})

test('a transaction message is not retried when a broadcast has answered it and its reply is lost', async t => {
  const { world, rpc, station } = await setUp(t)
  const running = rpc.hold('stop_transaction')
  station.call('StopTransaction', {}, 'x')
  await running.arrived()
  world.broadcast('SN1', { command: 'Ack', id: 'x', payload: {} })
  running.reject(faults.slow)
  await world.pass(5_000)
  assert.equal(attempts(world).length, 1)
  assert.deepEqual(station.got.at(-1), [3, 'x', {}])
})

test('a StartTransaction keeps its unanswered attempts when 10,000 MeterValues are answered silently', async t => {
  const { world, rpc, station } = await setUp(t, answersErrors)
  rpc.once('start_transaction', fails(faults.lost))
  rpc.once('start_transaction', fails(faults.raised))
  station.call('StartTransaction', {}, 's')
  await world.pass(1_000)
  assert.equal((await station.next())[0], 4)
  const others = Array.from({ length: 2_000 }, (_, at) => world.plug(`M${at}`))
  for (const other of others) for (let count = 0; count < 5; count++) other.call('MeterValues')
  for (let count = 0; count < 20; count++) station.call('MeterValues')
  await world.pass(10)
  assert.equal(world.meter.total('ocpp_call_total', { action: 'MeterValues', answer: 'silent' }), 10_020)
  station.vanish()
  const again = world.plug('CP1')
  rpc.once('start_transaction', acks({ idTagInfo: { status: 'Accepted' }, transactionId: 1 }))
  again.call('StartTransaction', {}, 's')
  await again.next()
  assert.deepEqual(attempts(world, 'start_transaction'), [undefined, 2, 3])
})

test('a MeterValues that was answered silently is replayed, and other content under its id is a first attempt', async t => {
  const { world, station } = await setUp(t)
  for (const connectorId of [1, 1, 2]) {
    station.call('MeterValues', { connectorId }, 'm')
    assert.deepEqual(await station.next(), [3, 'm', {}])
  }
  assert.deepEqual(attempts(world, 'meter_values'), [undefined, undefined])
  const performed = world.rpc.made.all.filter(({ name }) => name === 'meter_values').map(call => dataOf(call).payload)
  assert.deepEqual(performed, [{ connectorId: 1 }, { connectorId: 2 }])
})

test('the first message of a station is retried when it is a transaction message and Connect or subscribe fails', async t => {
  const world = new FakeWorld(t)
  world.rpc.once('connect', fails(faults.absent))
  world.rpc.once('subscribe', fails(faults.slow))
  const station = world.plug('CP1')
  station.call('StopTransaction', {}, 'x')
  await world.pass(5_000)
  assert.deepEqual(await station.next(), [3, 'x', {}])
  assert.deepEqual(attempts(world), [undefined])
})

test('silentAck off answers an Authorize with a CALLERROR, a boot with Pending and a notification with a confirmation', async t => {
  const world = new FakeWorld(t, { silentAck: 'off' })
  const station = world.plug('CP1')
  world.rpc.once('boot_notification', acks({ status: 'Accepted' }))
  await station.boot()
  station.call('Authorize', {}, 'a')
  assert.deepEqual((await station.next()).slice(0, 3), [4, 'a', 'InternalError'])
  station.call('StatusNotification', {}, 's')
  assert.deepEqual(await station.next(), [3, 's', {}])
  assert.deepEqual((await station.boot())[2], { status: 'Pending', currentTime: now, interval: 13 })
})

test('a TransactionEvent is confirmed when the app is silent and it has no idToken, and gets a CALLERROR when it has one', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1', { version: 'ocpp2.0.1' })
  station.call('TransactionEvent', { eventType: 'Updated' }, 'a')
  assert.deepEqual(await station.next(), [3, 'a', {}])
  station.call('TransactionEvent', { eventType: 'Started', idToken: { idToken: 'x', type: 'Central' } }, 'b')
  assert.deepEqual((await station.next()).slice(0, 3), [4, 'b', 'InternalError'])
})

test('a CALL superseded during its perform does not wait for an Ack', async t => {
  const { rpc, station } = await setUp(t, { ackTimeoutMs: 10_000 })
  const running = rpc.hold('authorize')
  station.call('Authorize', { idTag: 'A' }, 'x')
  await running.arrived()
  station.call('Authorize', { idTag: 'B' }, 'x')
  running.release()
  await quiet()
  assert.deepEqual(rpc.names().slice(-2), ['authorize', 'authorize'])
})

test('a superseded transaction message is not retried in front of the CALL that superseded it', async t => {
  const { world, rpc, station } = await setUp(t)
  rpc.on('start_transaction', fails(faults.absent))
  station.call('StartTransaction', { meterStart: 1 }, 'x')
  await world.pass(100)
  station.call('StartTransaction', { meterStart: 2 }, 'x')
  await world.pass(500)
  const meters = rpc.made.all.filter(({ name }) => name === 'start_transaction').map(call => dataOf(call).payload)
  assert.deepEqual(meters.slice(0, 2), [{ meterStart: 1 }, { meterStart: 2 }])
})

test('a CALL that waits for an Ack gets the bridge’s own answer when a drain runs out of grace', async t => {
  const { world, station } = await setUp(t, { ackTimeoutMs: 60_000 })
  station.call('StatusNotification', {}, 'x')
  await quiet()
  void world.hub.drain(1_000)
  await world.pass(1_100)
  assert.deepEqual(station.got.at(-1), [3, 'x', {}])
})

test('a StartTransaction whose broadcast Ack is refused during its perform carries attempt when it comes again', async t => {
  const { world, rpc, station } = await setUp(t)
  const running = rpc.hold('start_transaction')
  const start = { connectorId: 1, idTag: 'A', meterStart: 1, timestamp: '2026-01-02T03:04:05Z' }
  station.call('StartTransaction', start, 'x')
  await running.arrived()
  const large = { transactionId: 1, idTagInfo: { status: 'Accepted' }, more: 'x'.repeat(70_000) }
  world.broadcast('SN1', { command: 'Ack', id: 'x', payload: large })
  await station.next()
  running.release()
  await quiet()
  station.call('StartTransaction', start, 'x')
  await station.next()
  const attempts = rpc.made.all.filter(({ name }) => name === 'start_transaction').map(call => dataOf(call)['attempt'])
  assert.deepEqual(attempts, [undefined, 2])
})
