import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Identifier } from '../../../src/cable/rpc.ts'
import { messageId } from '../../../src/ocpp/frame.ts'
import { jsonText } from '../../../src/ocpp/json.ts'
import type { AppSession, OutboxMessage } from '../../../src/session/ports.ts'
import type { StationId } from '../../../src/translate/handshake.ts'
import { dataOf, dawn, fails, FakeWorld, faults, transmitted } from '../../support/fakes.ts'
import { FakeOutbox, memoryWith } from '../../support/outbox.ts'

const one = 'CP1' as StationId
const waitSeconds = 600
const session: AppSession = {
  version: 'ocpp1.6',
  connectionIdentifiers: '{"station_id":"CP1"}',
  identifier: '{"channel":"OCPPChannel","sn":"SN1"}' as Identifier,
  env: { url: 'http://csms.example/ocpp/CP1', headers: {}, cstate: { role: 'ev' }, istate: { boots: '1' } },
}

function message(name: string, transactionId: number): OutboxMessage {
  return {
    ...{ stationId: one, version: 'ocpp1.6', id: messageId(name), action: 'StopTransaction', attempts: 0 },
    ...{ key: `StopTransaction-${name}`, content: name, storedAt: dawn - 1_000 },
    payload: jsonText({ transactionId, meterStop: 9, timestamp: '2026-01-02T03:04:05Z' }),
  }
}

/** A process that finds messages of the one before; their station is not connected. */
async function setUp(t: TestContext, known: AppSession | null, ...messages: readonly OutboxMessage[]) {
  const outbox = new FakeOutbox()
  if (known !== null) outbox.sessions.set(one, known)
  for (const each of messages) await outbox.append(each)
  const world = new FakeWorld(t, {}, {}, memoryWith(outbox).memory)
  return { outbox, world, rpc: world.rpc }
}

async function pass(world: FakeWorld, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    world.hub.sweep()
    await world.pass(1_000, 1_000)
  }
}

const performed = ({ rpc }: FakeWorld) => rpc.made.all.filter(({ name }) => name === 'stop_transaction')

test('a station that is not connected has its messages performed as its last subscribe was, without Connect or Disconnect', async t => {
  const { world, rpc, outbox } = await setUp(t, session, message('a', 1), message('b', 2), message('c', 3))
  await pass(world, waitSeconds)
  assert.deepEqual(rpc.names(), [])
  await pass(world, 2)
  assert.deepEqual(rpc.names(), ['stop_transaction', 'stop_transaction', 'stop_transaction'])
  assert.deepEqual(performed(world).map(call => dataOf(call).id), ['a', 'b', 'c']) // prettier-ignore
  const { connectionIdentifiers, identifier, env } = session
  for (const call of performed(world)) {
    assert.deepEqual([call.connectionIdentifiers, call.identifier], [connectionIdentifiers, identifier])
    assert.deepEqual(call.env, env)
    assert.equal(dataOf(call)['storedAt'], new Date(dawn - 1_000).toISOString())
  }
  assert.deepEqual(outbox.stored, [])
  assert.equal(world.meter.total('ocpp_outbox_total', { outcome: 'delivered' }), 3)
})

test('what the app knows of a station is kept without its credentials at each accepted subscribe', async t => {
  const { world, outbox, rpc } = await setUp(t, null)
  rpc.on('connect', () => ({ cstate: { role: 'ev' } }))
  rpc.on('subscribe', () => ({ istate: { boots: '0' } }))
  const station = world.plug('CP1', { authorization: 'Basic c2VjcmV0' })
  await station.boot('SN1')
  const kept = outbox.sessions.get(one)
  assert.deepEqual(kept, {
    ...session,
    env: { ...session.env, headers: { REMOTE_ADDR: '192.0.2.1' }, istate: { boots: '0' } },
  })
  await station.boot('SN2')
  assert.match(String(outbox.sessions.get(one)?.identifier), /SN2/)
})

test('the streams, the commands and the request to close in a reply to a station that is not connected have no effect', async t => {
  const { world, rpc, outbox } = await setUp(t, session, message('a', 1))
  const reply = transmitted({ command: 'Reset', id: 'r', payload: { type: 'Soft' } }, { foreign: true })
  rpc.on('stop_transaction', () => ({ ...reply, disconnect: true, streams: ['x' as never] }))
  await pass(world, waitSeconds + 2)
  assert.deepEqual([outbox.stored.length, world.hub.streamCount], [0, 0])
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'no_station' }), 1)
  assert.equal(world.meter.total('ocpp_dropped_total'), 1)
})

test('a message that raises without a connection is tried again with backoff, and keeps its order', async t => {
  const { world, rpc, outbox } = await setUp(t, session, message('a', 1), message('b', 1))
  rpc.once('stop_transaction', fails(faults.raised))
  await pass(world, waitSeconds + 30)
  assert.deepEqual(performed(world).map(call => [dataOf(call).id, dataOf(call)['attempt']]), [['a', 2], ['a', 3], ['b', 2]]) // prettier-ignore
  assert.deepEqual(outbox.stored, [])
})

test('a station that connects during such a delivery performs the next message, and none twice', async t => {
  const { world, rpc } = await setUp(t, session, message('a', 1), message('b', 2), message('c', 3))
  const held = rpc.hold('stop_transaction')
  await pass(world, waitSeconds + 1)
  await held.arrived()
  const station = world.plug('CP1')
  // It drains the stored messages itself, before its own one.
  station.call('StartTransaction', { connectorId: 1, idTag: 'A', meterStart: 0, timestamp: '2026-01-02T03:04:05Z' })
  await pass(world, 1)
  assert.deepEqual(rpc.names(), ['stop_transaction', 'connect', 'subscribe'])
  held.release()
  await pass(world, 2)
  const sids = performed(world).map(({ sid }) => sid === station.sid)
  assert.deepEqual(performed(world).map(call => dataOf(call).id), ['a', 'b', 'c']) // prettier-ignore
  assert.deepEqual(sids, [false, true, true])
  assert.equal(rpc.names().at(-1), 'start_transaction')
})

test('a bridge that stops waits for the delivery under way, and begins none', async t => {
  const { world, rpc, outbox } = await setUp(t, session, message('a', 1), message('b', 2))
  const held = rpc.hold('stop_transaction')
  await pass(world, waitSeconds + 1)
  await held.arrived()
  let isDrained = false
  const draining = world.hub.drain(1_000).then(() => (isDrained = true))
  await world.pass(1_000)
  assert.equal(isDrained, false)
  held.release()
  await draining
  assert.deepEqual(outbox.stored.map(({ key }) => key), ['StopTransaction-b']) // prettier-ignore
  assert.equal(performed(world).length, 1)
})

test('a bug met by such a delivery is logged, and the station is tried again later', async t => {
  const { world, rpc, outbox } = await setUp(t, session, message('a', 1))
  rpc.once('stop_transaction', fails(new TypeError('a bug')))
  await pass(world, waitSeconds + 2)
  assert.equal(world.log.said('error').length, 1)
  assert.equal(outbox.stored.length, 1)
  await pass(world, 31)
  assert.equal(outbox.stored.length, 0)
})

test('a station that the app has never accepted keeps its messages until it connects', async t => {
  const { world, rpc, outbox } = await setUp(t, null, message('a', 1))
  await pass(world, 2 * waitSeconds)
  assert.deepEqual([rpc.names(), outbox.stored.length], [[], 1])
})
