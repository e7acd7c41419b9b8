import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StreamName } from '../../src/cable/rpc.ts'
import { identifierFor } from '../../src/session/app/connection.ts'
import {
  acks,
  dataOf,
  fails,
  FakeWorld,
  faults,
  type FakeStation,
  handshakeFor,
  quiet,
  streamOf,
  transmitted,
} from '../support/fakes.ts'

test('the first CALL makes Connect, subscribe and perform in that order, and later CALLs only perform', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  station.says('[2,"1","BootNotification",{"chargePointSerialNumber":"SN1", "chargePointModel":"M"}]')
  await station.next()
  station.says('[2,"2","Authorize",{ "idTag":"é\\u00e9" }]')
  await station.next()
  const caller = { sid: 'id-1', env: handshakeFor('CP1').env }
  const identifier = identifierFor('OCPPChannel', 'SN1')
  const known = { ...caller, connectionIdentifiers: '{"station_id":"CP1"}', identifier }
  const payload = '{"chargePointSerialNumber":"SN1", "chargePointModel":"M"}'
  assert.deepEqual(world.rpc.made.all, [
    { name: 'connect', ...caller, isReturning: false },
    { name: 'subscribe', ...known, command: 'subscribe', data: '' },
    {
      name: 'boot_notification',
      ...known,
      command: 'message',
      data: `{"action":"boot_notification","id":"1","command":"BootNotification","payload":${payload},"version":"1.6"}`,
    },
    {
      name: 'authorize',
      ...known,
      command: 'message',
      data: '{"action":"authorize","id":"2","command":"Authorize","payload":{ "idTag":"é\\u00e9" },"version":"1.6"}',
    },
  ])
})

test('the session makes no RPC before the first CALL or answer', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  station.says('[no frame')
  assert.equal(station.session.isHeard, false)
  station.says('')
  await quiet()
  assert.deepEqual(world.rpc.names(), [])
  assert.equal(station.session.isHeard, true, 'a sign of life')
})

test('each station has its own connection to the app, and each CALL its own answer, when two send two CALLs at once', async t => {
  const world = new FakeWorld(t)
  world.rpc.on('authorize', call => acks({ idTagInfo: { status: dataOf(call).id } })(call))
  const stations = ['CP1', 'CP2'].map(stationId => world.plug(stationId))
  for (const station of stations) station.says([2, 'a', 'Authorize', {}], [2, 'b', 'Authorize', {}])
  await quiet()
  for (const station of stations) {
    assert.deepEqual(station.got, [
      [3, 'a', { idTagInfo: { status: 'a' } }],
      [3, 'b', { idTagInfo: { status: 'b' } }],
    ])
    assert.deepEqual(world.rpc.names(station.sid), ['connect', 'subscribe', 'authorize', 'authorize'])
  }
})

test('a CALL is not performed before the CALL ahead of it has its reply', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  const first = world.rpc.hold('authorize')
  station.says([2, 'a', 'Authorize', {}], [2, 'b', 'StatusNotification', {}])
  await first.arrived()
  await quiet()
  assert.equal(world.rpc.names().at(-1), 'authorize')
  first.release()
  assert.deepEqual((await station.next())[1], 'a')
  assert.deepEqual((await station.next())[1], 'b')
})

test('a boot with another serial number unsubscribes, subscribes again and leaves the old stream', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  await station.boot('SN2')
  assert.deepEqual(world.rpc.names().slice(3), ['unsubscribe', 'subscribe', 'boot_notification'])
  world.broadcast('SN1', { command: 'Reset', id: 'old', payload: {} })
  world.broadcast('SN2', { command: 'Reset', id: 'new' })
  assert.deepEqual(await station.next(), [2, 'new', 'Reset', {}])
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'no_station' }), 1)
})

test('a station that reconnects without a boot is subscribed by the serial number of its last boot', async t => {
  const world = new FakeWorld(t)
  const before = world.plug('CP1')
  await before.boot('SN1')
  before.vanish()
  await world.pass(10)
  const station = world.plug('CP1')
  station.call('StatusNotification')
  await station.next()
  world.broadcast('SN1', { command: 'Reset', id: 'r' })
  assert.deepEqual(await station.next(), [2, 'r', 'Reset', {}])
})

test('a subscribe with FAILURE joins none of the streams that it lists', async t => {
  const world = new FakeWorld(t)
  world.rpc.once('subscribe', () => ({ status: 'failure', streams: ['ocpp:ev/SN1' as StreamName] }))
  const station = world.plug('CP1')
  await station.boot('SN1')
  assert.equal(world.hub.streamCount, 0)
})

test('a subscribe with SUCCESS and no confirmation counts as subscribed, and warns once', async t => {
  const world = new FakeWorld(t)
  world.rpc.on('subscribe', () => ({ transmissions: [] }))
  for (const stationId of ['CP1', 'CP2']) assert.equal((await world.plug(stationId).boot())[0], 3)
  assert.deepEqual([...world.notices.keys()], ['unconfirmed'])
})

test('a subscribe with SUCCESS and reject_subscription counts as a rejection', async t => {
  const world = new FakeWorld(t)
  world.rpc.once('subscribe', () => ({ transmissions: ['{"identifier":"I","type":"reject_subscription"}'] }))
  const station = world.plug('CP1')
  assert.deepEqual((await station.boot())[2], {
    status: 'Rejected',
    currentTime: '2026-01-02T03:04:05.000Z',
    interval: 45,
  })
  await quiet()
  assert.equal(station.socket.closed?.code, 1008)
})

test('a command in the reply to subscribe is sent after the answer to the boot', async t => {
  const world = new FakeWorld(t)
  world.rpc.once('subscribe', () => transmitted({ command: 'GetConfiguration', id: 'g', payload: { key: ['a'] } }))
  const boot = world.rpc.hold('boot_notification')
  const station = world.plug('CP1')
  station.call('BootNotification', {}, 'b')
  await boot.arrived()
  assert.deepEqual(station.got, [])
  boot.release()
  assert.deepEqual((await station.next()).slice(0, 2), [3, 'b'])
  assert.deepEqual(await station.next(), [2, 'g', 'GetConfiguration', { key: ['a'] }])
})

test('the answer is sent before the command when a reply holds both', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  const ack = { command: 'Ack', id: 'a', payload: { idTagInfo: { status: 'Accepted' } } }
  world.rpc.once('authorize', () => transmitted(ack, { command: 'Reset', id: 'r', payload: { type: 'Soft' } }))
  station.call('Authorize', {}, 'a')
  assert.deepEqual(await station.next(), [3, 'a', { idTagInfo: { status: 'Accepted' } }])
  assert.deepEqual(await station.next(), [2, 'r', 'Reset', { type: 'Soft' }])
})

test('the answer to a command performs ack or error with the requested action and the payload byte for byte', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  world.broadcast('SN1', '{"command":"GetConfiguration","id":"g","payload":{ "key" : ["\\u0061"], "n":1.50 }}')
  assert.equal(await station.socket.sent.next(), '[2,"g","GetConfiguration",{ "key" : ["\\u0061"], "n":1.50 }]')
  station.says('[3,"g",{"unknownKey":["a"], "x":2935.600}]')
  const ack = await world.rpc.next('ack')
  assert.equal(
    ack.data,
    '{"action":"ack","id":"g","command":"Ack","payload":{"unknownKey":["a"], "x":2935.600},"request":"GetConfiguration","version":"1.6","sid":"id-1"}',
  )
  world.broadcast('SN1', { command: 'Reset', id: 'r' })
  await station.next()
  station.says('[4,"r","NotSupported","no",{"a": 1.0}]')
  assert.equal(
    (await world.rpc.next('error')).data,
    '{"action":"error","id":"r","command":"Error","code":"NotSupported","message":"no","payload":{"a": 1.0},"request":"Reset","version":"1.6","sid":"id-1"}',
  )
})

test('every message performs receive when granular actions are off', async t => {
  const world = new FakeWorld(t, { granularActions: false })
  const station = world.plug('CP1')
  await station.boot('SN1')
  world.broadcast('SN1', { command: 'Reset', id: 'r' })
  await station.next()
  station.says([3, 'r', {}])
  await quiet()
  assert.deepEqual(world.rpc.names(), ['connect', 'subscribe', 'receive', 'receive'])
  assert.deepEqual(
    world.rpc.made.all.slice(2).map(call => dataOf(call).command),
    ['BootNotification', 'Ack'],
  )
})

test('a command without an id gets an id from the bridge, and its outcome carries that id', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  world.broadcast('SN1', { command: 'Reset' })
  const [, id] = await station.next()
  assert.match(String(id), /^id-/)
  station.says([3, id, {}])
  assert.equal(dataOf(await world.rpc.next('ack')).id, id)
})

const refusedCommands: readonly [string, object, string][] = [
  ['an action that the version does not know', { command: 'MakeCoffee', id: 'x' }, 'UnknownAction'],
  ['an action that stations send', { command: 'MeterValues', id: 'x' }, 'UnknownAction'],
  ['an id of 37 characters', { command: 'Reset', id: 'x'.repeat(37) }, 'InvalidId'],
]
for (const [what, command, code] of refusedCommands) {
  test(`a command with ${what} is not sent, and fails with ${code}`, async t => {
    const world = new FakeWorld(t)
    const station = world.plug('CP1')
    await station.boot('SN1')
    world.broadcast('SN1', command)
    assert.equal(dataOf(await world.rpc.next('error'))['code'], code)
    assert.equal(station.got.length, 1)
  })
}

test('a command fails with NotAccepted when the station is rejected, and lets a triggered message pass when it is pending', async t => {
  const world = new FakeWorld(t)
  world.rpc.once('boot_notification', acks({ status: 'Rejected' }))
  const station = world.plug('CP1')
  await station.boot('SN1')
  world.broadcast('SN1', { command: 'Reset', id: 'r' })
  assert.equal(dataOf(await world.rpc.next('error'))['code'], 'NotAccepted')
  world.rpc.once('boot_notification', acks({ status: 'Pending' }))
  await station.boot('SN1')
  station.call('StatusNotification', {}, 's1')
  assert.deepEqual((await station.next()).slice(0, 3), [4, 's1', 'SecurityError'])
  world.broadcast('SN1', { command: 'TriggerMessage', id: 't', payload: { requestedMessage: 'StatusNotification' } })
  await station.next()
  station.says([3, 't', { status: 'Accepted' }])
  station.call('StatusNotification', {}, 's2')
  assert.deepEqual(await station.next(), [3, 's2', {}])
})

test('an answer to a command is settled while a CALL is in flight, and its ack takes its place in the inbox', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  const slow = world.rpc.hold('authorize')
  for (const id of ['r1', 'r2']) world.broadcast('SN1', { command: 'Reset', id })
  await station.next()
  station.call('Authorize', {}, 'a')
  station.says([3, 'r1', { status: 'Accepted' }])
  station.call('StatusNotification', {}, 's')
  assert.deepEqual(await station.next(), [2, 'r2', 'Reset', {}])
  station.says([4, 'r2', 'InternalError', '', {}])
  await slow.arrived()
  await quiet()
  assert.equal(world.rpc.names().at(-1), 'authorize')
  slow.release()
  await quiet()
  assert.deepEqual(world.rpc.names().slice(3), ['authorize', 'ack', 'status_notification', 'error'])
})

test('a command without an answer fails with CallTimeout, the next command is sent, and a late answer performs a late ack', async t => {
  const world = new FakeWorld(t, { callTimeoutMs: 5_000 })
  const station = world.plug('CP1')
  await station.boot('SN1')
  for (const id of ['r1', 'r2']) world.broadcast('SN1', { command: 'Reset', id })
  await world.pass(5_000)
  assert.equal(dataOf(await world.rpc.next('error'))['code'], 'CallTimeout')
  station.says([3, 'r1', { status: 'Accepted' }])
  assert.deepEqual(dataOf(await world.rpc.next('ack')), {
    action: 'ack',
    id: 'r1',
    command: 'Ack',
    payload: { status: 'Accepted' },
    request: 'Reset',
    late: true,
    version: '1.6',
    sid: station.sid,
  })
  assert.deepEqual(station.got.at(-1), [2, 'r2', 'Reset', {}])
})

test('the end of the connection fails open and queued commands before the Disconnect', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  const slow = world.rpc.hold('authorize')
  station.call('Authorize')
  for (const id of ['r1', 'r2']) world.broadcast('SN1', { command: 'Reset', id })
  await slow.arrived()
  station.call('StatusNotification', {}, 'never performed')
  station.vanish()
  slow.release()
  await world.pass(10)
  await station.ended()
  assert.deepEqual(world.rpc.names().slice(3), ['authorize', 'error', 'error', 'disconnect'])
  assert.equal(
    world.meter.total('ocpp_call_total', { action: 'StatusNotification' }),
    0,
    'nobody answers a CALL of a closed session',
  )
  const errors = world.rpc.made.all.filter(({ name }) => name === 'error').map(call => dataOf(call))
  assert.deepEqual(errors.map(({ id, code }) => [id, code]), [['r1', 'ConnectionClosed'], ['r2', 'ConnectionClosed']]) // prettier-ignore
})

test('a closed session ends even when the app replies to each error with another command', async t => {
  const world = new FakeWorld(t)
  let errors = 0
  world.rpc.on('error', () => (++errors < 1_000 ? transmitted({ command: 'Reset' }) : {}))
  const station = world.plug('CP1')
  await station.boot('SN1')
  world.broadcast('SN1', { command: 'Reset', id: 'r' })
  station.vanish()
  await world.pass(10)
  await station.ended()
  assert.ok(errors <= 2, `${errors} errors after the end`)
})

test('ocpp_command_total counts outcomes, and an action that no version has as `other`', async t => {
  const world = new FakeWorld(t, { callTimeoutMs: 1_000 })
  const station = world.plug('CP1')
  await station.boot('SN1')
  for (const command of ['Reset', 'ClearCache', 'GetConfiguration', 'MakeCoffee']) world.broadcast('SN1', { command, id: command }) // prettier-ignore
  station.says([3, 'Reset', {}])
  station.says([4, 'ClearCache', 'InternalError', '', {}])
  await world.pass(1_000)
  const counted = [
    ['Reset', 'ack'],
    ['ClearCache', 'error'],
    ['GetConfiguration', 'CallTimeout'],
    ['other', 'UnknownAction'],
  ]
  for (const [action = '', outcome = ''] of counted) {
    assert.equal(world.meter.total('ocpp_command_total', { version: '1.6', action, outcome }), 1, action)
  }
  assert.equal(world.meter.total('ocpp_command_total'), 4)
})

test('outcomes of refused commands are dropped and counted when too many wait', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  const slow = world.rpc.hold('authorize')
  station.call('Authorize')
  await slow.arrived()
  const count = 20_000
  for (let id = 0; id < count; id++) world.broadcast('SN1', { command: 'MakeCoffee', id: String(id) })
  slow.release()
  await quiet()
  const performed = world.rpc.names().filter(name => name === 'error').length
  assert.ok(performed >= 10_000 && performed < 15_000, `${performed} were performed`)
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'outcome' }), count - performed)
})

test('an outcome whose reply is lost is counted as dropped, and the session stays open', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  world.rpc.once('ack', fails(faults.lost))
  world.broadcast('SN1', { command: 'Reset', id: 'r' })
  station.says([3, 'r', {}])
  await quiet()
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'outcome' }), 1)
  station.call('Heartbeat', {}, 'h')
  assert.equal(station.socket.closed, null)
})

test('an outcome is retried when the app was away, and CALLs do not wait for the retry', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  world.rpc.once('ack', fails(faults.absent))
  world.broadcast('SN1', { command: 'Reset', id: 'r' })
  station.says([3, 'r', {}])
  await quiet()
  station.call('Authorize', {}, 'a')
  await quiet()
  assert.equal(station.got.at(-1)?.[1], 'a')
  await world.pass(1_000)
  assert.deepEqual(world.rpc.names().filter(name => name === 'ack').length, 2)
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'outcome' }), 0)
})

test('a CALL that is repeated while it is in flight is performed once and answered once', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  const running = world.rpc.hold('stop_transaction')
  for (let count = 0; count < 2; count++) station.call('StopTransaction', { transactionId: 1 }, 's')
  await running.arrived()
  running.release()
  await quiet()
  assert.equal(world.rpc.names().filter(name => name === 'stop_transaction').length, 1)
  assert.equal(station.got.filter(([, id]) => id === 's').length, 1)
})

test('a CALL in flight gets no answer when a CALL with its id and other content supersedes it', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  const running = world.rpc.hold('authorize')
  station.call('Authorize', { idTag: 'A' }, 'x')
  await running.arrived()
  station.call('StatusNotification', { connectorId: 1 }, 'x')
  running.release()
  await quiet()
  assert.deepEqual(world.rpc.names().slice(-2), ['authorize', 'status_notification'])
  assert.deepEqual(
    station.got.filter(([, id]) => id === 'x'),
    [[3, 'x', {}]],
  )
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'superseded' }), 1)
})

test('messages of Action Cable itself are ignored, and messages that are not for a station are dropped and counted', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  const cable = ['{"type":"ping","message":1}', '{"type":"confirm_subscription","identifier":"I"}']
  world.rpc.once('authorize', () => ({ transmissions: [...cable, '{"identifier":"I","message":{"hello":1}}', 'x'] }))
  station.call('Authorize', {}, 'a')
  assert.equal((await station.next())[1], 'a')
  world.broadcast('SN1', 'no JSON')
  world.broadcast('SN1', { hello: 'world' })
  await quiet()
  assert.equal(station.got.length, 2)
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'foreign' }), 4)
})

const closings: readonly [string, object, number][] = [
  ['by the flag', { disconnect: true }, 1000],
  [
    'by the reason unauthorized',
    { disconnect: true, transmissions: ['{"type":"disconnect","reason":"unauthorized"}'] },
    1008,
  ],
]
for (const [what, said, code] of closings) {
  test(`a CALL is answered before the session closes with ${code} when the app closes it ${what}`, async t => {
    const world = new FakeWorld(t)
    const station = world.plug('CP1')
    await station.boot('SN1')
    world.rpc.once('status_notification', () => said)
    station.call('StatusNotification', {}, 's')
    assert.deepEqual(await station.next(), [3, 's', {}])
    assert.equal((await station.socket.end()).code, code)
  })
}

test('the session closes when the reply to an outcome or to a SEND asks for it', async t => {
  const world = new FakeWorld(t)
  const one = world.plug('CP1')
  const two = world.plug('CP2', { version: 'ocpp2.1' })
  await one.boot('SN1')
  await two.boot()
  world.rpc.once('ack', () => ({ disconnect: true }))
  world.broadcast('SN1', { command: 'Reset', id: 'r' })
  one.says([3, 'r', {}])
  world.rpc.once('notify_periodic_event_stream', () => ({ disconnect: true }))
  two.says([6, 's', 'NotifyPeriodicEventStream', {}])
  await quiet()
  assert.equal(one.socket.closed?.code, 1000)
  assert.equal(two.socket.closed?.code, 1000)
})

test('a SEND is performed in order and never answered, whatever the app replies', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1', { version: 'ocpp2.1' })
  const action = 'NotifyPeriodicEventStream'
  world.rpc.once('notify_periodic_event_stream', acks({}))
  world.rpc.once('notify_periodic_event_stream', fails(faults.raised))
  world.rpc.once('notify_periodic_event_stream', () => ({ status: 'failure' }))
  station.says([6, 's1', action, {}], [6, 's2', action, {}], [6, 's3', action, {}], [6, 's4', 'StatusNotification', {}])
  await quiet()
  assert.deepEqual(world.rpc.names(), [
    'connect',
    'subscribe',
    ...Array<string>(3).fill('notify_periodic_event_stream'),
  ])
  assert.deepEqual(station.got, [])
  assert.equal(station.socket.closed, null)
})

test('the session closes with 1008 when the app rejects a station that sends a SEND first', async t => {
  const world = new FakeWorld(t)
  world.rpc.on('connect', () => ({ status: 'failure' }))
  const station = world.plug('CP1', { version: 'ocpp2.1' })
  station.says([6, 's1', 'NotifyPeriodicEventStream', {}])
  await quiet()
  assert.deepEqual(station.got, [])
  assert.equal(station.socket.closed?.code, 1008)
})

test('a malformed message is answered at once, before the CALLs that wait for the app', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1', { version: 'ocpp2.0.1' })
  await station.boot()
  const slow = world.rpc.hold('authorize')
  station.call('Authorize', {}, 'a')
  station.says('[no frame', [2, 'b', 'Authorize'])
  assert.deepEqual((await station.next()).slice(0, 3), [4, '-1', 'RpcFrameworkError'])
  assert.deepEqual((await station.next()).slice(0, 3), [4, 'b', 'RpcFrameworkError'])
  slow.release()
  assert.equal((await station.next())[1], 'a')
})

test('a full inbox pauses and resumes the socket, drops nothing and keeps the order', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  const slow = world.rpc.hold('status_notification')
  const ids = Array.from({ length: 200 }, (_, number) => String(number))
  for (const id of ids) station.call('StatusNotification', {}, id)
  await slow.arrived()
  assert.equal(station.socket.isPaused, true)
  assert.ok(station.socket.unread.length > 100)
  slow.release()
  await quiet()
  assert.equal(station.socket.isPaused, false)
  assert.deepEqual(
    station.got.slice(1).map(([, id]) => id),
    ids,
  )
})

/** 1.1 MB of UTF-8. */
const twoByteText = 'é'.repeat(550_000)

test('a CALL of 550,000 two-byte characters fills the inbox, because sizes are bytes', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  const running = world.rpc.hold('data_transfer')
  station.call('DataTransfer', { data: 'x'.repeat(550_000) }, 'small')
  assert.equal(station.socket.isPaused, false, 'as many characters of one byte')
  await running.arrived()
  station.call('DataTransfer', { data: twoByteText }, 'large')
  assert.equal(station.socket.isPaused, true)
  running.release()
  await quiet()
  assert.equal(station.socket.isPaused, false)
})

test('a command of two-byte characters takes twice its length in the queue, because sizes are bytes', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  world.broadcast('SN1', { command: 'Reset', id: 'open' })
  for (const id of ['a', 'b', 'c', 'd'])
    world.broadcast('SN1', { command: 'DataTransfer', id, payload: { data: twoByteText } })
  const { id, code } = dataOf(await world.rpc.next('error'))
  assert.deepEqual([id, code], ['d', 'QueueFull'], 'three take 3.3 MB of 4 MiB')
})

test('no command is sent when four answers of two-byte characters wait for the app, because sizes are bytes', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  const running = world.rpc.hold('ack')
  const ids = ['a', 'b', 'c', 'd', 'e']
  for (const id of ids) world.broadcast('SN1', { command: 'Reset', id })
  for (const id of ids) station.says([3, id, { data: twoByteText }])
  const sent = (): unknown[] => station.got.filter(([type]) => type === 2).map(([, id]) => id)
  assert.deepEqual(sent(), ['a', 'b', 'c', 'd'], 'four answers take 4.4 MB of 4 MiB')
  running.release()
  await quiet()
  assert.deepEqual(sent(), ids)
})

test('a bug in a perform closes its session with 1011 and no other, and the app gets the Disconnect', async t => {
  const world = new FakeWorld(t)
  const one = world.plug('CP1')
  const two = world.plug('CP2')
  await one.boot()
  await two.boot()
  world.rpc.once('authorize', fails(new TypeError('bug')))
  one.call('Authorize')
  two.call('Authorize', {}, 'a')
  assert.equal((await one.socket.end()).code, 1011)
  assert.equal((await two.next())[1], 'a')
  await world.pass(10)
  await one.ended()
  assert.equal(world.rpc.names(one.sid).at(-1), 'disconnect')
  assert.equal(two.socket.closed, null)
})

test('a bug in receive or deliver closes its session with 1011 and no other', async t => {
  const world = new FakeWorld(t)
  world.rpc.on('subscribe', () => ({ streams: [streamOf('SN')] }))
  const stations = ['CP1', 'CP2', 'CP3'].map(stationId => world.plug(stationId, { version: 'ocpp2.0.1' }))
  for (const station of stations) await station.boot()
  const [one, two, three] = stations
  for (const station of [one, two]) {
    assert.ok(station)
    station.socket.send = () => {
      throw new TypeError('bug')
    }
  }
  one?.says('[no frame')
  assert.equal(one?.socket.closed?.code, 1011)
  world.broadcast('SN', { command: 'Reset', id: 'r' })
  assert.equal(two?.socket.closed?.code, 1011)
  assert.deepEqual(await three?.next(), [2, 'r', 'Reset', {}])
})

const collecting = { collectReports: true, reportTimeoutMs: 5_000 }
const reportPart = { requestId: 7, generatedAt: '2026-01-02T03:04:05Z', seqNo: 0, tbc: true, reportData: [] }
/** [what fires, what the bug breaks, what leads to it] */
const timers: readonly (readonly [string, string, (world: FakeWorld, station: FakeStation) => unknown])[] = [
  ['the timeout of a command', 'ocpp_command_total', world => world.broadcast('SN1', { command: 'Reset' })],
  ['the end of the grace period', 'ocpp_call_total', drainWithCall],
  ['the sweep of silent stations', 'ocpp_command_total', sweepWithCommand],
]

function drainWithCall(world: FakeWorld, station: FakeStation): void {
  const running = world.rpc.hold('authorize')
  station.call('Authorize')
  station.call('Heartbeat')
  void station.session.drain(1_000)
  setTimeout(() => running.release(), 1_050)
}

function sweepWithCommand(world: FakeWorld, station: FakeStation): void {
  world.broadcast('SN1', { command: 'Reset' })
  setTimeout(() => station.session.close(1008, 'No message in time'), 1_000)
}

for (const [what, metric, lead] of timers) {
  test(`a bug ends its session and no other when it is met at ${what}`, async t => {
    const world = new FakeWorld(t, { callTimeoutMs: 1_000 })
    const [one, two] = [world.plug('CP1'), world.plug('CP2')]
    await one.boot('SN1')
    await two.boot('SN2')
    lead(world, one)
    const count = world.meter.count.bind(world.meter)
    t.mock.method(world.meter, 'count', (name: string, ...rest: []) => {
      if (name === metric) throw new TypeError('bug')
      count(name, ...rest)
    })
    await world.pass(1_100)
    await one.ended()
    assert.deepEqual(world.log.said('error'), ['a bug in the bridge ended a session'])
    assert.equal(world.rpc.names(one.sid).at(-1), 'disconnect')
    assert.deepEqual([one.session.isClosed, two.session.isClosed], [true, false])
  })
}

test('a bug ends its session when it is met at the timeout of a report', async t => {
  const world = new FakeWorld(t, collecting)
  const station = world.plug('CP1', { version: 'ocpp2.0.1' })
  await station.boot()
  station.call('NotifyReport', reportPart)
  await station.next()
  t.mock.method(Buffer, 'byteLength', () => {
    throw new TypeError('bug')
  })
  await world.pass(5_000, 1_000)
  assert.equal(station.socket.closed?.code, 1011)
})

test('a bug ends its session when it is met at the end of a pause after malformed messages', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  for (let count = 0; count < 21; count++) station.says('[no frame')
  assert.equal(station.socket.isPaused, true)
  t.mock.method(station.socket, 'resume', () => {
    throw new TypeError('bug')
  })
  await world.pass(1_000)
  assert.equal(station.socket.closed?.code, 1011)
})

test('a session ignores messages, broadcasts and closes when it has ended', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  station.vanish()
  const asked = world.rpc.made.all.length
  station.call('Authorize')
  station.says('[no frame', [3, 'x', {}])
  station.session.deliver('{"command":"Reset"}')
  station.session.close(1000, 'again')
  station.session.gone(1006, '')
  await world.pass(10)
  assert.deepEqual(world.rpc.names().slice(asked), ['disconnect'])
  assert.equal(station.got.length, 1)
})

test('a session is closed when its station has sent no CALL and answered no ping within the boot timeout', async t => {
  const world = new FakeWorld(t)
  const heard = world.plug('CP1')
  const silent = world.plug('CP2')
  const ponging = world.plug('CP3')
  heard.call('Heartbeat')
  silent.says('[3,"1",{}]')
  silent.socket.isMute = true
  ponging.socket.answersPings = true
  await world.pass(60_000, 1_000)
  world.hub.sweep()
  assert.equal(silent.socket.closed, null)
  await world.pass(10)
  world.hub.sweep()
  assert.deepEqual(await silent.socket.end(), { code: 1008, reason: 'No message in time' })
  assert.equal(heard.socket.closed, null)
  assert.equal(ponging.socket.closed, null)
})

test('a station is pinged 3 s after its upgrade when it has said nothing and answered no ping', async t => {
  const world = new FakeWorld(t)
  const heard = world.plug('CP1')
  const silent = world.plug('CP2')
  const ponging = world.plug('CP3')
  heard.call('Heartbeat')
  ponging.socket.answersPings = true
  await world.pass(2_990)
  world.hub.sweep()
  assert.equal(silent.socket.probes, 0)
  await world.pass(10)
  world.hub.sweep()
  assert.deepEqual(
    [heard, silent, ponging].map(({ socket }) => socket.probes),
    [0, 1, 0],
  )
})
