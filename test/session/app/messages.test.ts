import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { CommandReply } from '../../../src/cable/rpc.ts'
import { AppMessages } from '../../../src/session/app/messages.ts'
import { Boot } from '../../../src/session/boot.ts'
import { Commands } from '../../../src/session/commands/commands.ts'
import { Station } from '../../../src/session/station.ts'
import { readTransmission } from '../../../src/translate/messages.ts'
import { FakeSocket, FakeWorld, handshakeFor } from '../../support/fakes.ts'

/** A station, and what the app sends it. */
function setUp(t: TestContext) {
  const world = new FakeWorld(t)
  const socket = new FakeSocket()
  const station = new Station(handshakeFor('CP1'), socket, { callQueue: 50, callTimeoutMs: 30_000 }, world)
  const valid = () => ({ violations: [], refusal: null })
  const commands = new Commands(station, {
    app: { identifier: null },
    boot: new Boot(station, world.hub.known),
    outcomes: { hasRoom: true, ofCommand: () => undefined },
    unanswered: world.hub.unansweredCommands,
    validation: { ofCommand: valid, ofResult: valid },
  })
  const messages = new AppMessages(station, commands)
  const take = (transmissions: readonly string[], disconnect = false): void =>
    messages.take(transmissions.map(readTransmission), disconnect)
  const takeReply = (reply: Partial<CommandReply>): void => messages.takeReply({ ...emptyReply, ...reply })
  return { world, station, sent: socket.sent.all, take, takeReply }
}

const emptyReply: CommandReply = {
  status: 'success',
  disconnect: false,
  stopAllStreams: false,
  stoppedStreams: [],
  streams: [],
  transmissions: [],
  cstate: {},
  istate: {},
}

const reset = '{"identifier":"I","message":{"command":"Reset","id":"r","payload":{"type":"Soft"}}}'
const ack = '{"identifier":"I","message":{"command":"Ack","id":"a","payload":{}}}'
const disconnectBy = (reason: string): string => `{"type":"disconnect","reason":"${reason}"}`

test('a remote command goes to the station', t => {
  const { sent, take } = setUp(t)
  take([reset])
  assert.deepEqual(sent, ['[2,"r","Reset",{"type":"Soft"}]'])
})

const dropped: readonly (readonly [transmission: string, reason: string, because: string])[] = [
  [ack, 'ack_for_nothing', 'no CALL waits for this answer'],
  ['{"identifier":"I","message":{"hello":1}}', 'foreign', 'a message without a command'],
  ['not JSON', 'foreign', 'a transmission that is not JSON'],
]
for (const [transmission, reason, because] of dropped) {
  test(`${transmission} is dropped and counted as ${reason}: ${because}`, t => {
    const { world, station, sent, take } = setUp(t)
    take([transmission])
    assert.equal(world.meter.total('ocpp_dropped_total', { reason }), 1)
    assert.equal(world.meter.total('ocpp_dropped_total'), 1)
    assert.equal(world.notices.size, 1)
    assert.deepEqual([sent, station.closing], [[], null])
  })
}

test('a confirmation or a ping of Action Cable is ignored', t => {
  const { world, station, sent, take } = setUp(t)
  take(['{"type":"ping","message":1}', '{"type":"confirm_subscription","identifier":"I"}'])
  assert.equal(world.meter.total('ocpp_dropped_total'), 0)
  assert.deepEqual([sent, station.closing], [[], null])
})

const codes: readonly (readonly [reason: string, code: number, because: string])[] = [
  ['unauthorized', 1008, 'the app rejects the station'],
  ['invalid_request', 1008, 'the app rejects the request'],
  ['server_restart', 1001, 'the server goes away'],
  ['remote', 1000, 'any other reason'],
  ['constructor', 1000, 'a property that every object has is not a reason'],
]
for (const [reason, code, because] of codes) {
  test(`a disconnect with the reason ${reason} closes with ${code}: ${because}`, t => {
    const { station, take } = setUp(t)
    take([disconnectBy(reason)])
    assert.equal(station.closing?.code, code)
  })
}

test('a disconnect without a reason closes with 1000', t => {
  const { station, take } = setUp(t)
  take(['{"type":"disconnect"}'])
  assert.equal(station.closing?.code, 1000)
})

test('the disconnect flag of a reply closes with 1000', t => {
  const { station, take } = setUp(t)
  take([], true)
  assert.equal(station.closing?.code, 1000)
})

test('the first request to close wins when a reply has a disconnect message and the flag', t => {
  const { station, take } = setUp(t)
  take([disconnectBy('unauthorized'), disconnectBy('server_restart')], true)
  assert.equal(station.closing?.code, 1008)
})

test('the commands of a reply are sent even if the reply also closes the session', t => {
  const { station, sent, take } = setUp(t)
  take([reset], true)
  assert.equal(sent.length, 1)
  assert.equal(station.closing?.code, 1000)
})

test('takeReply takes commands and the disconnect flag, and drops an Ack', t => {
  const { world, station, sent, takeReply } = setUp(t)
  takeReply({ transmissions: [ack, reset], disconnect: true })
  assert.equal(sent.length, 1)
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'ack_for_nothing' }), 1)
  assert.equal(station.closing?.code, 1000)
})

test('takeReply leaves the session open when a reply does not ask to close it', t => {
  const { station, takeReply } = setUp(t)
  takeReply({ transmissions: [reset] })
  assert.equal(station.closing, null)
})

test('takeReply closes when a reply has the disconnect flag and no transmissions', t => {
  const { station, takeReply } = setUp(t)
  takeReply({ disconnect: true })
  assert.equal(station.closing?.code, 1000)
})
