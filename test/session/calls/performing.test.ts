import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { RpcError } from '../../../src/cable/rpc.ts'
import type { Rpc } from '../../../src/session/ports.ts'
import type { SessionSettings } from '../../../src/session/settings.ts'
import { fails, FakeWorld, faults, type FakeRpc, type FakeStation } from '../../support/fakes.ts'

/** The `queueDeadline` of each command (`Rpc`). */
function queueDeadlinesOf(rpc: FakeRpc) {
  const deadlines: ((() => number) | undefined)[] = []
  const command = rpc.command.bind(rpc)
  const port: Rpc = rpc
  port.command = (call, signal, queueDeadline) => {
    deadlines.push(queueDeadline)
    return command(call, signal)
  }
  return deadlines
}

/** A station that has booted, and the queue deadlines of its performs. */
async function setUp(t: TestContext, settings: Partial<SessionSettings> = {}) {
  const world = new FakeWorld(t, settings)
  const deadlines = queueDeadlinesOf(world.rpc)
  const station: FakeStation = world.plug('CP1')
  await station.boot('SN1')
  deadlines.length = 0
  return { world, rpc: world.rpc, station, deadlines }
}

const answersErrors = { unanswered: 'error' } as const
/** Of 15 s; of a connection whose jitter is half of what it may be. */
const patienceMs = 12_500

test('a transaction message may wait in the queue of calls until 15 s after its arrival, less the jitter', async t => {
  const { world, rpc, station, deadlines } = await setUp(t)
  const running = rpc.hold('stop_transaction')
  const receivedAt = world.now()
  station.call('StopTransaction', {}, 'x')
  await running.arrived()
  assert.equal(deadlines[0]?.(), receivedAt + patienceMs)
  await world.pass(5_000)
  assert.equal(deadlines[0](), receivedAt + patienceMs)
  running.release()
  await station.next()
})

test('the subscribe for a transaction message may wait in the queue of calls as long as the message', async t => {
  const world = new FakeWorld(t)
  const deadlines = queueDeadlinesOf(world.rpc)
  const running = world.rpc.hold('subscribe')
  const receivedAt = world.now()
  world.plug('CP1').call('StopTransaction', {}, 'x')
  await running.arrived()
  assert.equal(deadlines.at(-1)?.(), receivedAt + patienceMs)
  running.release()
})

test('any other message has no queue deadline of its own', async t => {
  const { station, deadlines } = await setUp(t)
  station.call('StatusNotification')
  await station.next()
  assert.deepEqual(deadlines, [undefined])
})

test('the queue deadline of a transaction message is over when a drain begins', async t => {
  const { rpc, station, deadlines } = await setUp(t)
  const running = rpc.hold('stop_transaction')
  station.call('StopTransaction', {}, 'x')
  await running.arrived()
  void station.session.drain(10_000)
  assert.equal(deadlines[0]?.(), 0)
  running.release()
  assert.equal((await station.socket.end()).code, 1001)
})

test('the queue deadline of a transaction message is over when a broadcast has answered it', async t => {
  const { world, rpc, station, deadlines } = await setUp(t)
  const running = rpc.hold('stop_transaction')
  station.call('StopTransaction', {}, 'x')
  await running.arrived()
  world.broadcast('SN1', { command: 'Ack', id: 'x', payload: {} })
  await station.next()
  assert.equal(deadlines[0]?.(), 0)
  running.release()
})

const retried: readonly (readonly [failures: readonly RpcError[], because: string])[] = [
  [[], 'the first reply ends it'],
  [[faults.absent, faults.absent], 'the app is not there'],
  [[faults.lost, faults.absent], 'the connection is lost on the way'],
  [[faults.slow, faults.slow], 'there is no reply in time'],
]
for (const [failures, because] of retried) {
  test(`a transaction message is performed until the app replies: ${because}`, async t => {
    const { world, rpc, station } = await setUp(t)
    for (const failure of failures) rpc.once('stop_transaction', fails(failure))
    station.call('StopTransaction', {}, 'x')
    await world.pass(10_000)
    assert.deepEqual(station.got.at(-1), [3, 'x', {}])
    assert.equal(rpc.names().filter(name => name === 'stop_transaction').length, failures.length + 1)
  })
}

const notRetried: readonly (readonly [failure: Error, frame: unknown[], because: string])[] = [
  [faults.raised, [4, 'x', 'InternalError'], 'the app ran it and raised'],
  [new RpcError('aborted', 'notRun', 'no time was left'), [4, 'x', 'InternalError'], 'the bridge ends'],
]
for (const [failure, frame, because] of notRetried) {
  test(`a transaction message is performed once with ocpp_unanswered=error where ${because}`, async t => {
    const { world, rpc, station } = await setUp(t, answersErrors)
    rpc.on('stop_transaction', fails(failure))
    station.call('StopTransaction', {}, 'x')
    await world.pass(10_000)
    assert.deepEqual(station.got.at(-1)?.slice(0, 3), frame)
    assert.equal(rpc.names().filter(name => name === 'stop_transaction').length, 1)
  })
}

test('a bug in a perform is not retried, and ends the session', async t => {
  const { rpc, station } = await setUp(t)
  rpc.on('stop_transaction', fails(new TypeError('bug')))
  station.call('StopTransaction', {}, 'x')
  assert.equal((await station.socket.end()).code, 1011)
  assert.equal(rpc.names().filter(name => name === 'stop_transaction').length, 1)
})

test('a transaction message that a broadcast answers between two attempts is not performed again', async t => {
  const { world, rpc, station } = await setUp(t)
  rpc.on('stop_transaction', fails(faults.slow))
  station.call('StopTransaction', {}, 'x')
  await world.pass(100)
  world.broadcast('SN1', { command: 'Ack', id: 'x', payload: {} })
  await world.pass(20_000)
  assert.deepEqual(station.got.at(-1), [3, 'x', {}])
  assert.equal(rpc.names().filter(name => name === 'stop_transaction').length, 1)
})

test('a transaction message gets a CALLERROR shortly before the station stops waiting with ocpp_unanswered=error', async t => {
  const { world, rpc, station } = await setUp(t, answersErrors)
  rpc.on('stop_transaction', fails(faults.absent))
  station.call('StopTransaction', {}, 'x')
  await world.pass(18_000)
  assert.equal(station.got.length, 1, 'only the boot has been answered')
  await world.pass(2_000)
  assert.deepEqual(station.got.at(-1)?.slice(0, 3), [4, 'x', 'InternalError'])
})

test('the end of a session ends the pause between two attempts', async t => {
  const { world, rpc, station } = await setUp(t)
  rpc.on('stop_transaction', fails(faults.absent))
  station.call('StopTransaction', {}, 'x')
  await world.pass(100)
  station.vanish()
  await world.pass(50)
  await station.ended()
  assert.ok(rpc.names().filter(name => name === 'stop_transaction').length <= 2)
})

test('a bug that the limit of a transaction message meets ends the session, not the process', async t => {
  const { world, rpc, station } = await setUp(t)
  const running = rpc.hold('stop_transaction')
  station.call('StopTransaction')
  await running.arrived()
  t.mock.method(world.meter, 'count', (metric: string) => {
    if (metric === 'ocpp_unanswered_total') throw new Error('a bug')
  })
  await world.pass(patienceMs + 100, 100)
  assert.equal(station.socket.closed?.code, 1011)
  running.release()
})
