/** A transaction message that cannot be performed: the connection is closed, and the station keeps it. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { RpcError } from '../../../src/cable/rpc.ts'
import type { Version } from '../../../src/ocpp/version.ts'
import { channelAction } from '../../../src/translate/commands.ts'
import type { SessionSettings } from '../../../src/session/settings.ts'
import { acks, dataOf, fails, FakeWorld, faults, quiet, type FakeStation, type Script } from '../../support/fakes.ts'

/** The jitter of a connection is half of what it may be: limits are 5/6 of their longest. */
const share = 5 / 6
const longestMs = 15_000 * share
const awayMs = 5_000 * share

function setUp(t: TestContext, settings: Partial<SessionSettings> = {}, version: Version = 'ocpp1.6') {
  const world = new FakeWorld(t, settings)
  const station = world.plug('CP1', { version })
  return { world, rpc: world.rpc, station }
}

/** How long it takes until the bridge closes the connection, in ms. */
async function closedAfter(world: FakeWorld, station: FakeStation, longest = 60_000): Promise<number> {
  const began = world.now()
  while (station.socket.closed === null && world.now() - began < longest) await world.pass(50)
  return world.now() - began
}

const performs = ({ rpc }: FakeWorld, action: string): number =>
  rpc.names().filter(name => name === channelAction(action)).length

const tracked: readonly (readonly [Version, string])[] = [
  ['ocpp1.6', 'StartTransaction'],
  ['ocpp1.6', 'StopTransaction'],
  ['ocpp1.6', 'MeterValues'],
  ['ocpp2.0.1', 'TransactionEvent'],
  ['ocpp2.1', 'TransactionEvent'],
]
const refuses: Script = () => ({ status: 'failure' })
const failures: readonly (readonly [how: string, Script, reason: string])[] = [
  ['is unreachable', fails(faults.absent), 'away'],
  ['loses the connection', fails(faults.lost), 'away'],
  ['gives no reply', fails(faults.slow), 'timeout'],
  ['is full', fails(new RpcError('exhausted', 'notRun', 'no thread')), 'queue'],
  ['raises', fails(faults.raised), 'raised'],
  ['refuses', refuses, 'refused'],
]
for (const [version, action] of tracked) {
  for (const [how, script, reason] of failures) {
    test(`${version} ${action} gets no answer, and the connection closes with 1012 within 15 s, when the app ${how}`, async t => {
      const { world, rpc, station } = setUp(t, {}, version)
      rpc.on(channelAction(action), script)
      station.call(action, {}, 'x')
      const ms = await closedAfter(world, station)
      assert.equal(station.socket.closed?.code, 1012)
      assert.ok(ms <= longestMs, `${ms} ms`)
      assert.deepEqual(station.got, [])
      assert.equal(world.meter.total('ocpp_unanswered_total', { cause: reason }), 1)
    })
  }
}

test('a transaction message closes the connection within 5 s when the app is known to be away', async t => {
  const { world, rpc, station } = setUp(t)
  rpc.on('stop_transaction', fails(faults.absent))
  rpc.presence.isAway = true
  station.call('StopTransaction')
  const ms = await closedAfter(world, station)
  assert.ok(ms > awayMs / 2 && ms <= awayMs, `${ms} ms`)
})

test('a transaction message closes the connection at its limit when its perform hangs, and its late answer is replayed', async t => {
  const { world, rpc, station } = setUp(t)
  const running = rpc.hold('start_transaction')
  const start = { connectorId: 1, idTag: 'A', meterStart: 5, timestamp: '2026-01-02T03:04:05Z' }
  station.call('StartTransaction', start, 'x')
  const call = await running.arrived()
  const ms = await closedAfter(world, station)
  assert.ok(ms > longestMs - 100 && ms <= longestMs + 50, `${ms} ms`)
  const answer = { transactionId: 7, idTagInfo: { status: 'Accepted' } }
  running.release(await acks(answer)(call))
  await quiet()
  const again = world.plug('CP1')
  again.call('StartTransaction', start, 'y')
  assert.deepEqual(await again.next(), [3, 'y', answer])
  assert.equal(performs(world, 'StartTransaction'), 1)
})

test('closes are spread over the last third before the limit when stations send at once', async t => {
  const world = new FakeWorld(t)
  world.rpc.on('stop_transaction', fails(faults.slow))
  const draws = [0, 0.25, 0.5, 0.75, 0.999]
  const stations = draws.map((draw, at) => {
    Object.defineProperty(world, 'random', { value: () => draw, configurable: true })
    return world.plug(`CP${at}`)
  })
  for (const station of stations) station.call('StopTransaction')
  const closedAt = new Map<FakeStation, number>()
  for (let ms = 0; ms < 20_000; ms += 100) {
    await world.pass(100)
    for (const station of stations)
      if (station.socket.closed !== null && !closedAt.has(station)) closedAt.set(station, ms)
  }
  const times = stations.map(station => closedAt.get(station) ?? Infinity)
  assert.deepEqual(
    times,
    [...times].sort((a, b) => b - a),
    'the larger the draw, the sooner',
  )
  assert.ok(Math.max(...times) <= 15_000 && Math.min(...times) >= 9_000, String(times))
  assert.ok(Math.max(...times) - Math.min(...times) > 3_000, String(times))
})

test('an action that raises is tried again with backoff, with attempt, before the connection closes', async t => {
  const { world, rpc, station } = setUp(t)
  rpc.on('stop_transaction', fails(faults.raised))
  station.call('StopTransaction')
  await closedAfter(world, station)
  const attempts = rpc.made.all.filter(({ name }) => name === 'stop_transaction').map(call => dataOf(call)['attempt'])
  assert.deepEqual(attempts, [undefined, 2, 3, 4, 5])
})

test('a transaction message is confirmed when its action raises once', async t => {
  const { world, rpc, station } = setUp(t)
  rpc.once('stop_transaction', fails(faults.raised))
  station.call('StopTransaction', {}, 'x')
  await world.pass(1_000)
  assert.deepEqual(station.got, [[3, 'x', {}]])
})

test('a message that raises on four connections is logged whole, gets its CALLERROR, and the next one is served', async t => {
  const world = new FakeWorld(t)
  world.rpc.on('stop_transaction', fails(faults.raised))
  const stop = { transactionId: 1, meterStop: 9, timestamp: '2026-01-02T03:04:05Z' }
  for (let count = 0; count < 3; count++) {
    const station = world.plug('CP1')
    station.call('StopTransaction', stop, `x${count}`)
    await closedAfter(world, station)
    assert.equal(station.socket.closed?.code, 1012)
    assert.equal(world.hub.debts.waitSeconds(station.handshake.stationId), null, 'it may come in')
  }
  const station = world.plug('CP1')
  station.call('StopTransaction', stop, 'x')
  station.call('MeterValues', {}, 'm')
  await world.pass(15_000, 100)
  assert.deepEqual(
    station.got.map(([type, id]) => [type, id]),
    [[4, 'x'], [3, 'm']], // prettier-ignore
  )
  const lines = world.log.lines.filter(({ level }) => level === 'error')
  assert.deepEqual(
    lines.map(({ fields }) => (fields as { wholeMessage: string }).wholeMessage),
    [JSON.stringify(stop)],
  )
})

test('a StartTransaction that the app ran without an Ack gets a CALLERROR, and the connection stays', async t => {
  const { station } = setUp(t)
  station.call('StartTransaction', {}, 'x')
  assert.deepEqual((await station.next()).slice(0, 3), [4, 'x', 'InternalError'])
  assert.equal(station.socket.closed, null)
})

for (const name of ['connect', 'subscribe']) {
  test(`a transaction message gets no answer, and the connection closes with 1008, when ${name} returns FAILURE`, async t => {
    const { world, rpc, station } = setUp(t)
    rpc.once(name, refuses)
    station.call('StopTransaction')
    assert.equal((await station.socket.end()).code, 1008)
    assert.deepEqual(station.got, [])
    assert.equal(world.meter.total('failed_auths_total'), 1)
    assert.equal(world.hub.debts.owes(station.handshake.stationId), false)
  })
}

test('the connection closes again and again, and no CALLERROR is sent, when it is Connect that raises', async t => {
  const world = new FakeWorld(t)
  world.rpc.on('connect', fails(faults.raised))
  for (let count = 0; count < 5; count++) {
    const station = world.plug('CP1')
    station.call('StopTransaction')
    await closedAfter(world, station)
    assert.equal(station.socket.closed?.code, 1012)
    assert.deepEqual(station.got, [])
    assert.notEqual(world.hub.debts.waitSeconds(station.handshake.stationId), null, 'it waits outside')
  }
})

test('a station waits outside after Connect has raised until the app accepts another one', async t => {
  const { world, rpc, station } = setUp(t)
  const { stationId } = station.handshake
  rpc.on('connect', fails(faults.raised))
  station.call('StopTransaction')
  await closedAfter(world, station)
  rpc.presence.repliedAt = world.now()
  assert.notEqual(world.hub.debts.waitSeconds(stationId), null)
  rpc.on('connect', () => ({}))
  await world.plug('CP2').boot()
  assert.equal(world.hub.debts.waitSeconds(stationId), null)
})

test('a transaction message closes the connection when the bridge has put off the boot', async t => {
  const { world, rpc, station } = setUp(t)
  rpc.once('connect', fails(faults.absent))
  await station.boot()
  station.call('StopTransaction')
  assert.equal((await station.socket.end()).code, 1012)
  assert.equal(world.meter.total('ocpp_unanswered_total', { cause: 'unready' }), 1)
})

for (const status of ['Pending', 'Rejected']) {
  test(`a transaction message gets SecurityError when the app has answered the boot with ${status}`, async t => {
    const { rpc, station } = setUp(t)
    rpc.once('boot_notification', acks({ status, currentTime: '2026-01-02T03:04:05Z', interval: 60 }))
    await station.boot()
    station.call('StopTransaction', {}, 'x')
    assert.deepEqual((await station.next()).slice(0, 3), [4, 'x', 'SecurityError'])
    assert.equal(station.socket.closed, null)
  })
}

test('transaction messages get no answer, and others do, when a drain runs out of grace', async t => {
  const { world, rpc, station } = setUp(t)
  await station.boot()
  const running = rpc.hold('authorize')
  station.call('Authorize', {}, 'a')
  await running.arrived()
  station.call('StopTransaction', {}, 's')
  station.call('StatusNotification', {}, 'n')
  void station.session.drain(1_000)
  await world.pass(1_100)
  running.release()
  assert.equal((await station.socket.end()).code, 1001)
  assert.deepEqual(station.got.slice(1).map(([type, id]) => [type, id]), [[4, 'n'], [3, 'a']]) // prettier-ignore
})

test('a transaction message under way gets no answer when a drain begins while the app is away', async t => {
  const { world, rpc, station } = setUp(t)
  rpc.on('stop_transaction', fails(faults.absent))
  station.call('StopTransaction')
  await world.pass(100)
  void station.session.drain(10_000)
  await station.socket.end()
  assert.deepEqual(station.got, [])
})

test('a superseded transaction message does not close the connection', async t => {
  const { world, rpc, station } = setUp(t)
  rpc.once('start_transaction', fails(faults.absent))
  station.call('StartTransaction', { meterStart: 1 }, 'x')
  await world.pass(100)
  rpc.once('start_transaction', acks({ transactionId: 1, idTagInfo: { status: 'Accepted' } }))
  station.call('StartTransaction', { meterStart: 2 }, 'x')
  await world.pass(1_000)
  assert.equal(station.got.at(-1)?.[0], 3)
  assert.equal(station.socket.closed, null)
})

test('other messages get their CALLERROR when the app is away', async t => {
  const { rpc, station } = setUp(t)
  await station.boot()
  rpc.on('status_notification', fails(faults.absent))
  station.call('StatusNotification', {}, 'x')
  assert.deepEqual((await station.next()).slice(0, 3), [4, 'x', 'InternalError'])
  assert.equal(station.socket.closed, null)
})

for (const id of ['x', 'y']) {
  test(`the connection closes before a station sends a message again when it was seen to do so after 6 s, under ${id === 'x' ? 'the same id' : 'a new id'}`, async t => {
    const { world, rpc, station } = setUp(t)
    rpc.on('stop_transaction', fails(faults.slow))
    const stop = { transactionId: 1, meterStop: 9, timestamp: '2026-01-02T03:04:05Z' }
    station.call('StopTransaction', stop, 'x')
    await world.pass(6_000, 100)
    station.call('StopTransaction', stop, id)
    await closedAfter(world, station)
    const again = world.plug('CP1')
    again.call('StopTransaction', stop, 'z')
    const ms = await closedAfter(world, again)
    assert.ok(ms > 2_000 && ms < 6_000, `${ms} ms`)
    const other = world.plug('CP2')
    other.call('StopTransaction', stop, 'z')
    assert.ok((await closedAfter(world, other)) > 6_000)
  })
}
