import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { callError, messageId, type Frame } from '../../src/ocpp/frame.ts'
import { emptyObject } from '../../src/ocpp/json.ts'
import { versions, type Version } from '../../src/ocpp/version.ts'
import { Station } from '../../src/session/station.ts'
import { FakeSocket, FakeWorld, handshakeFor } from '../support/fakes.ts'

class TracingWorld extends FakeWorld {
  readonly traced: unknown[] = []
  override readonly trace = (...frame: readonly unknown[]): void => void this.traced.push(frame)
}

/** A station, its socket, and the frames that were traced. */
function setUp(t: TestContext, version: Version = 'ocpp1.6') {
  const world = new TracingWorld(t)
  const socket = new FakeSocket()
  const station = new Station(handshakeFor('CP1', { version }), socket, {}, world)
  return { world, socket, station, traced: world.traced }
}

const reset: Frame = { kind: 'call', id: messageId('r'), action: 'Reset', payload: emptyObject }

test('a station has a session id of its own, the id of its handshake, and the row of its version', t => {
  const { world, station } = setUp(t, 'ocpp2.1')
  const other = new Station(handshakeFor('CP1'), new FakeSocket(), {}, world)
  assert.equal(station.who.station, 'CP1')
  assert.notEqual(station.who.sid, other.who.sid)
  assert.equal(station.row, versions['ocpp2.1'])
  assert.equal(other.row, versions['ocpp1.6'])
})

test('send writes a frame to the socket, counts it, and traces it', t => {
  const { world, socket, station, traced } = setUp(t)
  station.send(reset)
  assert.deepEqual(socket.sent.all, ['[2,"r","Reset",{}]'])
  assert.equal(world.meter.total('server_msg_total'), 1)
  assert.deepEqual(traced, [[station.who, 'sent', '[2,"r","Reset",{}]']])
})

const spellings: readonly (readonly [Version, string])[] = [
  ['ocpp1.6', 'FormationViolation'],
  ['ocpp2.0.1', 'FormatViolation'],
]
for (const [version, code] of spellings) {
  test(`send spells an error code as ${code} when the station speaks ${version}`, t => {
    const { socket, station } = setUp(t, version)
    station.send(callError(messageId('a'), 'FormatViolation', ''))
    assert.deepEqual(socket.sent.all, [`[4,"a","${code}","",{}]`])
  })
}

test('send does nothing when the session has ended', t => {
  const { world, socket, station, traced } = setUp(t)
  station.end()
  station.send(reset)
  assert.deepEqual(socket.sent.all, [])
  assert.equal(world.meter.total('server_msg_total'), 0)
  assert.deepEqual(traced, [])
})

test('end aborts the signal of the session', t => {
  const { station } = setUp(t)
  const { closed } = station
  assert.equal(closed.aborted, false)
  station.end()
  assert.equal(closed.aborted, true)
})

test('drop counts each message by its reason, and warns once for each text', t => {
  const { world, station } = setUp(t)
  for (const text of ['dropped a broadcast', 'dropped a broadcast', 'dropped an Ack']) station.drop('foreign', text)
  station.drop('closed', 'dropped a command')
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'foreign' }), 3)
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'closed' }), 1)
  assert.deepEqual([...world.notices.values()], ['dropped a broadcast', 'dropped an Ack', 'dropped a command'])
})

test('after runs a function later, and its error is the fault of the session', async t => {
  const { world, station } = setUp(t)
  const ran: string[] = []
  const bug = new TypeError('bug')
  const faults: unknown[] = []
  station.owner = { onFault: error => void faults.push(error) }
  station.after(10, () => ran.push('first'))
  clearTimeout(station.after(10, () => ran.push('cleared')))
  await world.pass(10)
  assert.deepEqual(ran, ['first'])
  station.after(10, () => {
    throw bug
  })
  await world.pass(10)
  assert.deepEqual(faults, [bug])
})
