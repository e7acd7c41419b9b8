import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { RpcError } from '../../src/cable/rpc.ts'
import type { JsonText } from '../../src/ocpp/json.ts'
import type { Version } from '../../src/ocpp/version.ts'
import type { SessionSettings } from '../../src/session/session.ts'
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
} from '../support/fakes.ts'

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
const refuses: Script = () => ({ status: 'failure' })
const silent: Script = () => ({})

const internal = 'The CSMS could not process the message'
const rows: readonly [string, string, Script, unknown[]][] = [
  ['BootNotification', 'silent', silent, [3, { status: 'Accepted', currentTime: now, interval: 30 }]],
  ['BootNotification', 'raised', fails(faults.raised), [3, { status: 'Pending', currentTime: now, interval: 13 }]],
  ['BootNotification', 'absent', fails(faults.absent), [3, { status: 'Pending', currentTime: now, interval: 13 }]],
  ['BootNotification', 'refused', refuses, [3, { status: 'Rejected', currentTime: now, interval: 45 }]],
  ['Heartbeat', 'silent', silent, [3, { currentTime: now }]],
  ['Heartbeat', 'raised', fails(faults.raised), [3, { currentTime: now }]],
  ['Heartbeat', 'slow', fails(faults.slow), [3, { currentTime: now }]],
  ['Heartbeat', 'refused', refuses, [3, { currentTime: now }]],
  ['Authorize', 'silent', silent, [3, { idTagInfo: { status: 'Invalid' } }]],
  ['Authorize', 'absent', fails(faults.absent), [4, 'InternalError', internal, {}]],
  ['Authorize', 'slow', fails(faults.slow), [4, 'InternalError', internal, {}]],
  ['Authorize', 'refused', refuses, [4, 'GenericError', 'The CSMS refused the message', {}]],
  ['StartTransaction', 'silent', silent, [4, 'InternalError', internal, {}]],
  ['StartTransaction', 'raised', fails(faults.raised), [4, 'InternalError', internal, {}]],
  ['StartTransaction', 'refused', refuses, [4, 'GenericError', 'The CSMS refused the message', {}]],
  ['MeterValues', 'silent', silent, [3, {}]],
  ['MeterValues', 'raised', fails(faults.raised), [4, 'InternalError', internal, {}]],
  ['StatusNotification', 'silent', silent, [3, {}]],
  ['StatusNotification', 'lost', fails(faults.lost), [4, 'InternalError', internal, {}]],
  ['StatusNotification', 'refused', refuses, [4, 'GenericError', 'The CSMS refused the message', {}]],
]
for (const [action, how, script, [type, ...answer]] of rows) {
  test(`${action}, the app ${how}: ${JSON.stringify(answer[0])}, after one perform`, async t => {
    const { rpc, station } = await setUp(t, forwardHeartbeats)
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
    test(`${action}, ${name} FAILURE: the answer, then 1008`, async t => {
      const world = new FakeWorld(t)
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
  test(`the first CALL, Connect ${name}: a boot is Pending, a Heartbeat has its time, the connection stays`, async t => {
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

/** So many stations boot at once while the app is away; what each is told to wait. */
async function putOff(world: FakeWorld, name: string, count: number): Promise<number[]> {
  for (let at = 0; at < count; at++) world.rpc.once('connect', fails(faults.absent))
  const stations = Array.from({ length: count }, (_, at) => world.plug(`${name}${at}`))
  const answers = await Promise.all(stations.map(station => station.boot()))
  return answers.map(([, , payload]) => (payload as { interval: number }).interval)
}

test('all that are put off stand in one line, whichever version they speak', async t => {
  const world = new FakeWorld(t)
  const waits = await putOff(world, 'A', 100)
  assert.deepEqual([waits[0], waits.at(-1)], [13, 15], 'fifty a second')
  world.rpc.once('connect', fails(faults.absent))
  const [, , payload] = await world.plug('B', { version: 'ocpp2.1' }).boot()
  assert.equal((payload as { interval: number }).interval, 15, 'behind the others')
})

test('one that boots again before its turn keeps it', async t => {
  const world = new FakeWorld(t)
  world.rpc.on('connect', fails(faults.absent))
  const station = world.plug('CP1')
  for (let boots = 0; boots < 100; boots++)
    assert.equal(((await station.boot())[2] as { interval: number }).interval, 13)
})

test('one that is rejected takes no turn', async t => {
  const world = new FakeWorld(t)
  for (let at = 0; at < 100; at++) {
    world.rpc.once('connect', refuses)
    await world.plug(`R${at}`).boot()
  }
  assert.deepEqual(await putOff(world, 'A', 1), [13])
})

test('those that are put off come back at the pace at which the app lets in, with a boot or without', async t => {
  const world = new FakeWorld(t)
  for (let second = 0; second < 4; second++) {
    for (let at = 0; at < 5; at++) {
      const station = world.plug(`in-${second}-${at}`)
      station.call(at === 0 ? 'Heartbeat' : 'BootNotification')
      await station.next()
    }
    await world.pass(1_000, 100)
  }
  const waits = await putOff(world, 'A', 60)
  assert.ok(
    (waits.at(-1) ?? 0) >= 13 + 30 / 5,
    `${String(waits.at(-1))} s: five a second, when it shows that it is all`,
  )
})

test('an answer leaks nothing of the app', async t => {
  const { rpc, station } = await setUp(t)
  for (const fault of [faults.absent, faults.raised]) {
    rpc.once('authorize', fails(fault))
    station.call('Authorize')
    assert.doesNotMatch(JSON.stringify(await station.next()), /10\.0\.0\.7|charge!/)
  }
})

test('Heartbeat is answered here and not performed, unless it is to be forwarded', async t => {
  const { rpc, station } = await setUp(t)
  station.call('Heartbeat', {}, 'h')
  assert.deepEqual(await station.next(), [3, 'h', { currentTime: now }])
  assert.deepEqual(rpc.names(), ['connect', 'subscribe', 'boot_notification'])
})

test("Heartbeat that is forwarded gets the app's answer, if it is there in time", async t => {
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
  test(`an Ack of a boot with ${what}: what it lacks is filled in`, async t => {
    const world = new FakeWorld(t)
    world.rpc.once('boot_notification', acks(payload))
    assert.deepEqual((await world.plug('CP1').boot())[2], answer)
  })
}

test("the app's payload is passed on byte for byte, and the id as the station sent it", async t => {
  const { rpc, station } = await setUp(t)
  rpc.once('data_transfer', () => ({
    transmissions: ['{"identifier":"I","message":{"command":"Ack","payload":{ "n" : 2935.600,"n":1e0 },"id":"42"}}'],
  }))
  station.says('[2,42,"DataTransfer",{"x": 1.50}]')
  await station.next()
  assert.equal(station.socket.sent.all.at(-1), '[3,42,{ "n" : 2935.600,"n":1e0 }]')
  assert.match(rpc.made.all.at(-1)?.data ?? '', /"id":42,.*"payload":\{"x": 1\.50\},"version":"1\.6"\}$/)
})

test("the app's Error is a CALLERROR with its words, spelled as the version does", async t => {
  const { rpc, station } = await setUp(t)
  const error = { command: 'Error', id: 'a', code: 'FormatViolation', message: 'no idTag', payload: { field: 'idTag' } }
  rpc.once('authorize', () => transmitted(error))
  station.call('Authorize', {}, 'a')
  assert.deepEqual(await station.next(), [4, 'a', 'FormationViolation', 'no idTag', { field: 'idTag' }])
})

const ack = (id: string, status = 'Accepted') => ({ command: 'Ack', id, payload: { idTagInfo: { status } } })
const answerOf = (id: string, status = 'Accepted') => [3, id, { idTagInfo: { status } }]

test('an Ack that is broadcast before the action has run is the answer, at once and only once', async t => {
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

test('an Ack after the action has run is waited for as long as is set, and no longer', async t => {
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

test('without a wait, an Ack that comes after the reply is for nobody', async t => {
  const { world, station } = await setUp(t)
  station.call('Authorize', {}, 'a')
  assert.deepEqual(await station.next(), answerOf('a', 'Invalid'))
  world.broadcast('SN1', ack('a'))
  await quiet()
  assert.equal(station.got.length, 2)
})

test('the CALL behind one whose Ack is waited for waits, too, and gets its own', async t => {
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

test('an Ack for another CALL, or for another station, answers none', async t => {
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

test('the end of the connection ends the wait for an Ack', async t => {
  const { world, station } = await setUp(t, { ackTimeoutMs: 10_000 })
  station.call('Authorize')
  await quiet()
  station.vanish()
  await world.pass(10)
  await station.ended()
})

test('a drain while the action runs: an Ack is waited for as ever, then the connection is closed', async t => {
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
  ['MakeCoffee', 'NotImplemented', 'no action of the version'],
  ['NotifyReport', 'NotImplemented', 'an action of another version'],
  ['Reset', 'NotSupported', 'an action of the other direction'],
  ['Subscribed', 'NotImplemented', "one of Action Cable's callbacks"],
  ['Ack', 'NotImplemented', 'what an answer performs'],
  ['Receive', 'NotImplemented', 'what takes all'],
  ['boot_notification', 'NotImplemented', 'no name of an action'],
  ['constructor', 'NotImplemented', 'what every object has'],
]
for (const [action, code, because] of calls) {
  test(`${action} is ${code}, and not performed: ${because}`, async t => {
    const { world, rpc, station } = await setUp(t)
    station.call(action, {}, 'x')
    assert.deepEqual((await station.next()).slice(0, 3), [4, 'x', code])
    assert.equal(rpc.names().length, 3)
    assert.equal(world.meter.total('ocpp_call_total', { answer: 'rejected' }), 1)
  })
}

test('who answered is counted, an action that nobody knows as `other`', async t => {
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

test('how long a station waited is observed, from when its CALL came in', async t => {
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

test('a silent decision is logged once for an action, an exception of the app once for an action and message', async t => {
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
/** [what the station sends, the version, what the app is told to do; `null`: nothing] */
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
  test(`${version}: a silent ${action} is ${fix === null ? 'left to the bridge without a word' : 'a warning, once'}`, async t => {
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

test('an Ack with an empty payload ends the warning about a transaction message', async t => {
  const { world, rpc, station } = await setUp(t)
  rpc.on('stop_transaction', acks({}))
  station.call('StopTransaction', { transactionId: 7 }, 'x')
  assert.deepEqual(await station.next(), [3, 'x', {}])
  assert.deepEqual([...world.notices.values()], [])
})

test('without granular actions, the warning about a transaction message names receive', async t => {
  const { world, station } = await setUp(t, { granularActions: false })
  station.call('StopTransaction', { transactionId: 7 })
  await station.next()
  const fix = `handle StopTransaction in receive and transmit an Ack, ${enough}`
  assert.deepEqual([...world.notices.values()], [`the app performed a transaction message without an Ack: ${fix}`])
})

test('an answer that the operator has set for a transaction message is no warning', async t => {
  const silentAnswers = { MeterValues: { kind: 'payload', payload: '{}' as JsonText } } as const
  const { world, station } = await setUp(t, { silentAnswers })
  station.call('MeterValues', {})
  await station.next()
  assert.deepEqual([...world.notices.values()], [])
})

test('a station that leaves while its message waits for a late Ack is no warning about the app', async t => {
  const { world, rpc, station } = await setUp(t, { ackTimeoutMs: 5_000 })
  rpc.once('stop_transaction', silent)
  station.call('StopTransaction', { transactionId: 7 })
  await rpc.next('stop_transaction')
  station.vanish()
  await quiet()
  assert.deepEqual([...world.notices.values()], [])
})

test('a silent boot is a warning where silent answers are off: the station stays Pending', async t => {
  const world = new FakeWorld(t, { silentAck: 'off' })
  await world.plug('CP1').boot()
  assert.deepEqual([...world.notices.keys()], ['silent BootNotification'])
})

/** The attempts that the app was told of, `undefined` for none. */
function attempts({ rpc }: FakeWorld): unknown[] {
  return rpc.made.all.filter(({ name }) => name === 'stop_transaction').map(call => dataOf(call)['attempt'])
}

const held: readonly [string, RpcError[], unknown[]][] = [
  ['not there', [faults.absent, faults.absent], [undefined, undefined, undefined]],
  ['too slow, then not there', [faults.slow, faults.absent], [undefined, 2, 2]],
  ['lost, then too slow', [faults.lost, faults.slow], [undefined, 2, 3]],
]
for (const [how, failures, told] of held) {
  test(`a transaction message is held while the app is ${how}, and then has its answer`, async t => {
    const { world, rpc, station } = await setUp(t)
    for (const failure of failures) rpc.once('stop_transaction', fails(failure))
    station.call('StopTransaction', {}, 'x')
    await world.pass(5_000)
    assert.deepEqual(await station.next(), [3, 'x', {}])
    assert.deepEqual(attempts(world), told)
  })
}

/** When the station has its answer, in ms from now. */
async function answeredAfter(world: FakeWorld, station: FakeStation, longestMs: number): Promise<number> {
  const { length } = station.got
  const began = world.now()
  while (station.got.length === length && world.now() - began < longestMs) await world.pass(100)
  return world.now() - began
}

test('it is held for 20 s at most from when it came; then it is the station that keeps it', async t => {
  const { world, rpc, station } = await setUp(t)
  rpc.on('start_transaction', fails(faults.absent))
  station.call('StartTransaction', {}, 'x')
  const ms = await answeredAfter(world, station, 30_000)
  assert.ok(ms > 18_000 && ms <= 20_000, `${ms} ms`)
  assert.deepEqual(station.got.at(-1)?.slice(0, 3), [4, 'x', 'InternalError'])
})

test('the time that it waited for its turn counts, too; each is performed once at least', async t => {
  const { world, rpc, station } = await setUp(t)
  for (const name of ['start_transaction', 'stop_transaction']) rpc.on(name, fails(faults.absent))
  station.says([2, 'a', 'StartTransaction', {}], [2, 'b', 'StopTransaction', {}])
  await world.pass(20_000)
  assert.deepEqual(station.got.slice(1).map(([type, id]) => [type, id]), [[4, 'a'], [4, 'b']]) // prettier-ignore
  assert.equal(attempts(world).length, 1)
})

test('the end of the connection ends the hold, and asks nothing more of the app', async t => {
  const { world, rpc, station } = await setUp(t)
  rpc.on('stop_transaction', fails(faults.absent))
  station.call('StopTransaction')
  await world.pass(100)
  station.vanish()
  await world.pass(10)
  await station.ended()
  assert.equal(attempts(world).length, 1)
})

test('a drain ends the hold with a CALLERROR: the station keeps the message', async t => {
  const { world, rpc, station } = await setUp(t)
  rpc.on('stop_transaction', fails(faults.absent))
  station.call('StopTransaction', {}, 'x')
  await world.pass(100)
  void station.session.drain(10_000)
  assert.deepEqual((await station.next()).slice(0, 3), [4, 'x', 'InternalError'])
  assert.equal((await station.socket.end()).code, 1001)
})

test('a transaction message that the app has answered is not performed again, though its reply is lost', async t => {
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

test('a transaction message that comes first is held while Connect or subscribe fails', async t => {
  const world = new FakeWorld(t)
  world.rpc.once('connect', fails(faults.absent))
  world.rpc.once('subscribe', fails(faults.slow))
  const station = world.plug('CP1')
  station.call('StopTransaction', {}, 'x')
  await world.pass(5_000)
  assert.deepEqual(await station.next(), [3, 'x', {}])
  assert.deepEqual(attempts(world), [undefined])
})

test('silent answers off: what decides is a CALLERROR, a boot is Pending, a confirmation stays', async t => {
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

test('2.x: TransactionEvent without an idToken is confirmed, with one it is the app that decides', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1', { version: 'ocpp2.0.1' })
  station.call('TransactionEvent', { eventType: 'Updated' }, 'a')
  assert.deepEqual(await station.next(), [3, 'a', {}])
  station.call('TransactionEvent', { eventType: 'Started', idToken: { idToken: 'x', type: 'Central' } }, 'b')
  assert.deepEqual((await station.next()).slice(0, 3), [4, 'b', 'InternalError'])
})
