import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Rpc } from '../../src/station/ports.ts'
import { FakeWorld, type FakeRpc, type FakeStation } from '../support/fakes.ts'

/** The queue deadline of each call (`Rpc`). */
function patienceOf(rpc: FakeRpc) {
  const patience: ((() => number) | undefined)[] = []
  const command = rpc.command.bind(rpc)
  const port: Rpc = rpc
  port.command = (call, signal, queueDeadline) => {
    patience.push(queueDeadline)
    return command(call, signal)
  }
  return patience
}

/** A station that has booted, and how long each perform of it may wait. */
async function setUp(t: TestContext) {
  const world = new FakeWorld(t)
  const patience = patienceOf(world.rpc)
  const station: FakeStation = world.plug('CP1')
  await station.boot('SN1')
  patience.length = 0
  return { world, rpc: world.rpc, station, patience }
}

test('a transaction message may wait in the queue as long as it is held, from when it came', async t => {
  t.mock.method(performance, 'now', () => 1_000)
  const { world, rpc, station, patience } = await setUp(t)
  const running = rpc.hold('stop_transaction')
  station.call('StopTransaction', {}, 'x')
  await running.arrived()
  assert.equal(patience[0]?.(), 21_000)
  await world.pass(5_000) // in which the monotonic clock stands
  assert.equal(patience[0](), 16_000)
  running.release()
  await station.next()
})

test('so may the subscribe that it needs first', async t => {
  t.mock.method(performance, 'now', () => 1_000)
  const world = new FakeWorld(t)
  const patience = patienceOf(world.rpc)
  const running = world.rpc.hold('subscribe')
  world.plug('CP1').call('StopTransaction', {}, 'x')
  await running.arrived()
  assert.equal(patience.at(-1)?.(), 21_000)
  running.release()
})

test('any other message waits as long as any call', async t => {
  const { station, patience } = await setUp(t)
  station.call('StatusNotification')
  await station.next()
  assert.deepEqual(patience, [undefined])
})

test('a drain ends its patience: the station keeps the message', async t => {
  const { rpc, station, patience } = await setUp(t)
  const running = rpc.hold('stop_transaction')
  station.call('StopTransaction', {}, 'x')
  await running.arrived()
  void station.session.drain(10_000)
  assert.equal(patience[0]?.(), 0)
  running.release()
  assert.equal((await station.socket.end()).code, 1001)
})

test('one that has its answer meanwhile does not wait on', async t => {
  const { world, rpc, station, patience } = await setUp(t)
  const running = rpc.hold('stop_transaction')
  station.call('StopTransaction', {}, 'x')
  await running.arrived()
  world.broadcast('SN1', { command: 'Ack', id: 'x', payload: {} })
  await station.next()
  assert.equal(patience[0]?.(), 0)
  running.release()
})
