import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { StreamName } from '../../src/cable/rpc.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import {
  dataOf,
  fails,
  FakeMemory,
  FakeSocket,
  FakeWorld,
  faults,
  handshakeFor,
  quiet,
  streamOf,
  type FakeStation,
} from '../support/fakes.ts'

const reset = (id: string) => ({ command: 'Reset', id, payload: {} })

/** Whether a command of the app reaches the station. */
async function isReached(world: FakeWorld, station: FakeStation, sn: string): Promise<boolean> {
  const { length } = station.got
  world.broadcast(sn, reset(world.newId()))
  await quiet()
  return station.got.length > length
}

test('a broadcast reaches each station of its stream once, and no other', async t => {
  const world = new FakeWorld(t)
  world.rpc.on('subscribe', ({ identifier = '{}' }) => {
    const { sn } = JSON.parse(identifier) as { sn: string }
    return { streams: [streamOf(sn), 'all' as StreamName] }
  })
  const one = world.plug('CP1')
  const two = world.plug('CP2')
  await one.boot('SN1')
  await two.boot('SN2')
  assert.equal(world.hub.streamCount, 3)
  world.broadcast('SN1', reset('a'))
  assert.deepEqual(await one.next(), [2, 'a', 'Reset', {}])
  for (const station of [one, two]) station.says([3, 'a', {}])
  world.hub.deliver({ kind: 'stream', stream: 'all' as StreamName, data: JSON.stringify(reset('b')), excludeSid: null })
  assert.deepEqual(await one.next(), [2, 'b', 'Reset', {}])
  assert.deepEqual(await two.next(), [2, 'b', 'Reset', {}])
})

test('a broadcast leaves out the session that it excludes', async t => {
  const world = new FakeWorld(t)
  const one = world.plug('CP1')
  const two = world.plug('CP2')
  await one.boot('SN1')
  await two.boot('SN1')
  world.broadcast('SN1', reset('a'), one.sid)
  assert.deepEqual(await two.next(), [2, 'a', 'Reset', {}])
  assert.equal(one.got.length, 1)
})

test('a broadcast without a station is counted as no_station when it is an OCPP message, else as not_ocpp, and logged at debug level', t => {
  const world = new FakeWorld(t)
  const messages = [reset('a'), { command: 'Ack', id: 'b', payload: {} }, { command: 'refresh' }, { payload: {} }, [1]]
  for (const message of messages) world.broadcast('SN9', message)
  for (const text of ['"command"', 'not JSON "command"', '{"html":"\\"command\\":"}']) world.broadcast('SN9', text)
  const dropped = (reason: string): number => world.meter.total('ocpp_dropped_total', { reason })
  assert.deepEqual([dropped('no_station'), dropped('not_ocpp')], [2, 6])
  const { level, fields, message } = world.log.lines[0] ?? {}
  assert.deepEqual([level, fields], ['debug', { stream: 'ocpp:ev/SN9' }])
  assert.match(message ?? '', /OCPP message: no station of this bridge listens/)
  assert.equal(world.log.said('debug').length, messages.length + 3)
  assert.deepEqual(world.log.said('warn'), [])
})

test('the payload of a broadcast is sent byte for byte when its data is an object', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  const payload = '{"connectorId":1, "csChargingProfiles":{"limit":2935.600}}'
  world.hub.publish(`{"stream":"ocpp:ev/SN1","data":{"command":"SetChargingProfile","id":"1","payload":${payload}}}`)
  assert.equal(await station.socket.sent.next(), `[2,"1","SetChargingProfile",${payload}]`)
})

test('a broadcast is counted as dropped when its stream has no station, or only the excluded one', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  world.broadcast('SN9', reset('a'))
  world.broadcast('SN1', reset('a'), station.sid)
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'no_station' }), 2)
  assert.equal(world.meter.total('broadcast_msg_total'), 2)
})

test('an unreadable broadcast is counted, and logged once', t => {
  const world = new FakeWorld(t)
  for (let times = 0; times < 2; times++) world.hub.deliver({ kind: 'unreadable', problem: 'not JSON' })
  assert.equal(world.meter.total('failed_broadcast_msg_total'), 2)
  assert.equal(world.notices.size, 1)
})

test('a remote disconnect closes all sessions of its identifiers, and no other', async t => {
  const world = new FakeWorld(t)
  world.rpc.on('connect', ({ env }) => ({ connectionIdentifiers: env.url.endsWith('CP3') ? '{"o":2}' : '{"o":1}' }))
  const stations = ['CP1', 'CP2', 'CP3'].map(stationId => world.plug(stationId))
  for (const station of stations) await station.boot()
  world.hub.deliver({ kind: 'disconnect', connectionIdentifiers: '{"o":1}' })
  assert.deepEqual(
    stations.map(({ socket }) => socket.closed?.code),
    [1000, 1000, undefined],
  )
  await world.pass(100)
  assert.equal(world.rpc.names().filter(name => name === 'disconnect').length, 2)
})

test('a new connection replaces the old one when the app has accepted it, and not before', async t => {
  const world = new FakeWorld(t)
  const old = world.plug('CP1')
  await old.boot('SN1')
  const connect = world.rpc.hold('connect')
  const station = world.plug('CP1')
  station.call('StatusNotification', {}, 's')
  await connect.arrived()
  assert.equal(await isReached(world, old, 'SN1'), true)
  connect.release()
  assert.deepEqual(await station.next(), [3, 's', {}])
  assert.equal((await old.socket.end()).code, 1008)
  assert.equal(world.meter.total('ocpp_takeover_total'), 1)
  assert.equal(await isReached(world, station, 'SN1'), true)
})

test('a rejected connection leaves the old one open', async t => {
  const world = new FakeWorld(t)
  const old = world.plug('CP1', { authorization: 'Basic old' })
  await old.boot('SN1')
  world.rpc.once('connect', () => ({ status: 'failure' }))
  const stranger = world.plug('CP1', { authorization: 'Basic guess' })
  await stranger.boot('SN1')
  await quiet()
  assert.equal(stranger.socket.closed?.code, 1008)
  assert.equal(old.socket.closed, null)
  await world.pass(1_000)
  assert.equal(world.hub.claims.mayReplace(old.handshake), true)
  assert.equal(await isReached(world, old, 'SN1'), true)
})

test('a new connection replaces the old one at once when both have the same credentials, and not when they have none', async t => {
  const world = new FakeWorld(t)
  const one = world.plug('CP1', { authorization: 'Basic a' })
  const two = world.plug('CP2')
  await one.boot()
  await two.boot()
  world.plug('CP1', { authorization: 'Basic a' })
  world.plug('CP2')
  assert.equal(one.socket.closed?.code, 1008)
  assert.equal(two.socket.closed, null)
})

test('the Disconnect of an old connection is made past the rate, before the subscribe of the new one', async t => {
  const world = new FakeWorld(t)
  const other = world.plug('CP2')
  await other.boot()
  const old = world.plug('CP1')
  await old.boot('SN1')
  other.vanish()
  const disconnect = world.rpc.hold('disconnect')
  const station = world.plug('CP1')
  station.call('StatusNotification')
  assert.equal((await disconnect.arrived()).sid, old.sid)
  await quiet()
  assert.deepEqual(world.rpc.names(station.sid), ['connect'])
  disconnect.release()
  await station.next()
  assert.deepEqual(world.rpc.names(station.sid), ['connect', 'subscribe', 'status_notification'])
})

test('a station that reconnects expedites the Disconnect of its last connection', async t => {
  const world = new FakeWorld(t)
  const old = world.plug('CP1')
  await old.boot('SN1')
  old.vanish()
  const station = world.plug('CP1')
  await station.boot('SN1')
  const order = world.rpc.made.all.slice(3).map(({ name, sid }) => `${sid === old.sid ? 'old' : 'new'} ${name}`)
  assert.deepEqual(order, ['new connect', 'old disconnect', 'new subscribe', 'new boot_notification'])
})

test('a new connection is served when the Disconnect of the old one fails', async t => {
  const world = new FakeWorld(t)
  const old = world.plug('CP1')
  await old.boot()
  world.rpc.once('disconnect', fails(faults.slow))
  const station = world.plug('CP1')
  assert.equal((await station.boot())[0], 3)
  assert.equal(world.meter.total('disconnect_lost_total'), 1)
})

test('the end of an old connection does not remove the new one', async t => {
  const world = new FakeWorld(t)
  const old = world.plug('CP1')
  await old.boot('SN1')
  const running = world.rpc.hold('authorize')
  old.call('Authorize')
  await running.arrived()
  const station = world.plug('CP1')
  station.call('StatusNotification')
  await quiet()
  running.release({ streams: [streamOf('SN1'), streamOf('SN-old')] })
  await station.next()
  old.vanish()
  await world.pass(1_000)
  assert.equal(world.hub.size, 1)
  assert.equal(world.hub.streamCount, 1)
  assert.equal(world.hub.claims.mayReplace(station.handshake), true)
  assert.equal(await isReached(world, station, 'SN1'), true)
  world.hub.deliver({ kind: 'disconnect', connectionIdentifiers: '{"station_id":"CP1"}' })
  assert.equal(station.socket.closed?.code, 1000)
})

test('a newer connection closes an older one that is still in Connect, and its Disconnect comes before the subscribe', async t => {
  const world = new FakeWorld(t)
  const connect = world.rpc.hold('connect')
  const older = world.plug('CP1')
  older.call('StatusNotification')
  await connect.arrived()
  const newer = world.plug('CP1')
  newer.call('StatusNotification')
  await quiet()
  assert.equal(older.socket.closed?.code, 1008)
  connect.release()
  await world.pass(100)
  assert.equal((await newer.next())[0], 3)
  assert.equal(newer.socket.closed, null)
  assert.deepEqual(world.rpc.names(), ['connect', 'connect', 'disconnect', 'subscribe', 'status_notification'])
})

test('one of three simultaneous connections of a station is left, and each other one gets a Disconnect', async t => {
  const world = new FakeWorld(t)
  const stations = [1, 2, 3].map(() => world.plug('CP1'))
  for (const station of stations) station.call('StatusNotification')
  await world.pass(1_000)
  const left = stations.filter(({ socket }) => socket.closed === null)
  assert.equal(left.length, 1)
  for (const { sid, session } of stations) {
    const ends = world.rpc.names(sid).filter(name => name === 'disconnect').length
    assert.equal(ends, session === left[0]?.session ? 0 : 1)
  }
})

test('a session gets one Disconnect when the app accepted its Connect, and none otherwise', async t => {
  const world = new FakeWorld(t)
  world.rpc.once('connect', fails(faults.absent))
  world.rpc.once('connect', () => ({ status: 'failure' }))
  const failed = world.plug('CP1')
  await failed.boot()
  const refused = world.plug('CP2')
  await refused.boot()
  const idle = world.plug('CP3')
  const connected = world.plug('CP4')
  await connected.boot()
  world.rpc.once('subscribe', () => ({ status: 'failure' }))
  const unsubscribed = world.plug('CP5')
  await unsubscribed.boot()
  const all = [failed, refused, idle, connected, unsubscribed]
  for (const station of all) station.vanish()
  await world.pass(1_000)
  await Promise.all(all.map(station => station.ended()))
  const disconnected = world.rpc.made.all.filter(({ name }) => name === 'disconnect').map(({ sid }) => sid)
  assert.deepEqual(disconnected.sort(), [connected.sid, unsubscribed.sid].sort())
})

test('a session that ends during Connect gets its Disconnect, and makes no other RPC', async t => {
  const world = new FakeWorld(t)
  const connect = world.rpc.hold('connect')
  const station = world.plug('CP1')
  station.call('BootNotification')
  await connect.arrived()
  station.vanish()
  connect.release()
  await world.pass(10)
  await station.ended()
  assert.deepEqual(world.rpc.names(), ['connect', 'disconnect'])
  assert.equal(world.hub.claims.mayReplace(station.handshake), false)
})

test('a session of a flapping station ends without the takeover delay when it closed during Connect', async t => {
  const world = new FakeWorld(t)
  for (let count = 0; count < 3; count++) await world.plug('CP1').boot('SN1')
  assert.equal(world.meter.total('ocpp_takeover_total'), 2, 'the next takeover would be slowed down')
  const connect = world.rpc.hold('connect')
  const newest = world.plug('CP1')
  newest.call('BootNotification')
  await connect.arrived()
  newest.vanish()
  connect.release()
  await world.pass(100)
  await newest.ended()
  assert.deepEqual(world.rpc.names(newest.sid), ['connect', 'disconnect'])
  assert.equal(world.meter.total('ocpp_takeover_slowed_total'), 0)
})

test('a session that ends during subscribe names the subscription in its Disconnect, and leaves no stream', async t => {
  const world = new FakeWorld(t)
  const subscribe = world.rpc.hold('subscribe')
  const station = world.plug('CP1')
  station.call('BootNotification', {}, 'b')
  await subscribe.arrived()
  station.vanish()
  subscribe.release()
  await world.pass(10)
  await station.ended()
  assert.equal(world.hub.streamCount, 0)
  assert.deepEqual(world.rpc.made.all.at(-1)?.subscriptions, ['{"channel":"OCPPChannel","sn":"CP1"}'])
})

test('Disconnects of many sessions are made at the rate, and lost and counted beyond the backlog', async t => {
  const world = new FakeWorld(t, {}, { ratePerSecond: 10, backlog: 3 })
  const stations = ['CP1', 'CP2', 'CP3', 'CP4', 'CP5'].map(stationId => world.plug(stationId))
  for (const station of stations) await station.boot()
  for (const station of stations) station.vanish()
  const made = (): number => world.rpc.names().filter(name => name === 'disconnect').length
  await world.pass(1)
  assert.equal(made(), 1)
  await world.pass(250)
  assert.equal(made(), 3)
  await world.pass(1_000)
  assert.equal(made(), 3)
  assert.equal(world.meter.total('disconnect_lost_total'), 2)
  await Promise.all(stations.map(station => station.ended()))
})

test('drain answers received CALLs, ignores later ones, closes with 1001 and makes the Disconnects', async t => {
  const world = new FakeWorld(t)
  const stations = ['CP1', 'CP2'].map(stationId => world.plug(stationId))
  for (const station of stations) await station.boot()
  const authorizes = stations.map(station => {
    const running = world.rpc.hold('authorize')
    station.says([2, 'a', 'Authorize', {}], [2, 'b', 'StatusNotification', {}])
    return running
  })
  await Promise.all(authorizes.map(running => running.arrived()))
  void world.hub.drain(10_000)
  for (const station of stations) station.call('StatusNotification', {}, 'too late')
  await quiet()
  for (const { socket } of stations) assert.equal(socket.closed, null)
  for (const running of authorizes) running.release()
  await world.pass(100)
  for (const station of stations) {
    const { got, socket } = station
    assert.deepEqual(
      got.slice(1).map(([, id]) => id),
      ['a', 'b'],
    )
    assert.equal(socket.closed?.code, 1001)
    await station.ended()
  }
  assert.equal(world.rpc.names().filter(name => name === 'disconnect').length, 2)
  assert.equal(world.hub.size, 0)
})

test('drain fails queued and later commands at once, and an open command may still be answered', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  const running = world.rpc.hold('authorize')
  station.call('Authorize')
  for (const id of ['open', 'waits']) world.broadcast('SN1', reset(id))
  await running.arrived()
  void world.hub.drain(10_000)
  world.broadcast('SN1', reset('comes'))
  station.says([3, 'open', {}])
  running.release()
  await world.pass(100)
  const outcomes = world.rpc.made.all
    .filter(({ name }) => name === 'ack' || name === 'error')
    .map(call => [dataOf(call).id, dataOf(call)['code']])
  assert.deepEqual(outcomes, [
    ['waits', 'ConnectionClosed'],
    ['comes', 'ConnectionClosed'],
    ['open', undefined],
  ])
})

test('drain makes Disconnects without the rate and the backlog limit', async t => {
  const world = new FakeWorld(t, {}, { ratePerSecond: 1, backlog: 2 })
  const stations = ['CP1', 'CP2', 'CP3', 'CP4'].map(stationId => world.plug(stationId))
  for (const station of stations) await station.boot()
  let isDrained = false
  void world.hub.drain(10_000).then(() => (isDrained = true))
  await quiet()
  assert.equal(world.rpc.names().filter(name => name === 'disconnect').length, 4)
  assert.equal(isDrained, true)
})

test('drain waits for closed sessions that have a call in flight', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  const running = world.rpc.hold('authorize')
  station.call('Authorize')
  await running.arrived()
  station.vanish()
  let isDrained = false
  void world.hub.drain(10_000).then(() => (isDrained = true))
  await quiet()
  assert.equal(isDrained, false)
  running.release()
  await world.pass(100)
  assert.equal(isDrained, true)
  assert.equal(world.rpc.names().at(-1), 'disconnect')
})

test('drain resolves at once when there are no sessions', async t => {
  await new FakeWorld(t).hub.drain(10_000)
})

test('an ended session can be garbage-collected, whatever call was in flight at its end', async t => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const world = new FakeWorld(t)
  const sessions = await endSome(world)
  assert.equal(sessions.length, 5)
  for (let round = 0; round < 5 && sessions.some(session => session.deref() !== undefined); round++) {
    await quiet()
    collect()
  }
  assert.deepEqual(
    sessions.map(session => session.deref()),
    sessions.map(() => undefined),
  )
  assert.equal(world.hub.size, 0)
  assert.equal(world.hub.streamCount, 0)
})

/** Ends sessions in different ways; only weak references to them are left. */
async function endSome(world: FakeWorld): Promise<WeakRef<object>[]> {
  const pending = ['connect', 'subscribe', 'authorize'].map((name, at) => {
    const running = world.rpc.hold(name)
    const station = world.plug(`CP${at}`)
    station.call('Authorize')
    return { running, station }
  })
  const replaced = world.plug('CP8')
  await replaced.boot()
  const newest = world.plug('CP8')
  await newest.boot()
  for (const { running, station } of pending) {
    await running.arrived()
    world.broadcast(station.handshake.stationId, { command: 'Reset' })
    station.vanish()
    running.release({ streams: [streamOf('late'), streamOf(station.handshake.stationId)] })
  }
  newest.session.close(1000, '')
  await world.pass(60_000)
  return [...pending.map(({ station }) => station), replaced, newest].map(({ session }) => new WeakRef(session))
}

test('waiting CALLs are answered without the app when the grace of a drain is over', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  const hung = world.rpc.hold('authorize')
  station.call('Authorize', {}, 'a')
  await hung.arrived()
  station.call('StatusNotification', {}, 's')
  world.broadcast('SN1', { command: 'Reset', id: 'r' })
  void world.hub.drain(1_000)
  await world.pass(900)
  assert.deepEqual(station.got.at(-1)?.slice(0, 2), [2, 'r'], 'the grace is not over')
  await world.pass(100)
  assert.deepEqual(station.got.at(-1)?.slice(0, 3), [4, 's', 'InternalError'])
  hung.release()
  assert.equal((await station.socket.end()).code, 1001)
  await station.ended()
  assert.equal(world.rpc.names().at(-1), 'disconnect')
})

test('a slow drain closes sessions one after another, and serves each until its own close', async t => {
  const world = new FakeWorld(t)
  const stations = ['CP1', 'CP2', 'CP3', 'CP4'].map(stationId => world.plug(stationId))
  for (const station of stations) await station.boot()
  const closed = (): number => stations.filter(({ socket }) => socket.closed !== null).length
  let isDrained = false
  void world.hub.drain(1_000, 1_600).then(() => (isDrained = true))
  for (const expected of [1, 2, 3]) {
    await quiet()
    assert.equal(closed(), expected)
    assert.equal(
      world.rpc.names().filter(name => name === 'disconnect').length,
      expected,
      'each Disconnect is made at once',
    )
    const last = stations.at(-1)
    assert.ok(last !== undefined, 'there is a last station')
    assert.equal(await isReached(world, last, 'SN-CP4'), true)
    last.says([3, (last.got.at(-1) ?? [])[1], {}])
    last.call('StatusNotification')
    await quiet()
    assert.deepEqual(last.got.at(-1)?.[0], 3)
    await world.pass(400)
  }
  assert.equal(closed(), 4)
  assert.equal(isDrained, true)
  assert.deepEqual([...new Set(stations.map(({ socket }) => socket.closed?.code))], [1001])
})

test('abort ends a drain, and at most ten stations whose Disconnect is lost are named once', async t => {
  const world = new FakeWorld(t)
  const stations = Array.from({ length: 20 }, (_, at) => world.plug(`CP${at}`))
  for (const station of stations) await station.boot()
  const stranger = world.plug('stranger') // never accepted by the app, so no Disconnect is lost
  world.rpc.once('disconnect', fails(faults.absent))
  world.rpc.once('disconnect', () => ({}))
  world.rpc.on('disconnect', () => new Promise(() => undefined))
  let isDrained = false
  void world.hub.drain(1_000).then(() => (isDrained = true))
  await world.pass(100)
  assert.equal(stranger.socket.closed?.code, 1001)
  assert.equal(isDrained, false)
  world.hub.abort()
  await quiet()
  assert.equal(isDrained, true)
  const losses = world.log.lines.filter(({ level }) => level === 'warn')
  assert.deepEqual(
    losses.map(({ fields }) => fields),
    [{ num: 19, stations: ['CP0', ...Array.from({ length: 9 }, (_, at) => `CP${at + 2}`)] }],
  )
  assert.equal(world.meter.total('disconnect_lost_total'), 19)
})

test('abort answers CALLs in flight, counts reports as lost, closes the sessions and makes no further RPC', async t => {
  const world = new FakeWorld(t, { collectReports: true })
  const station = world.plug('CP1', { version: 'ocpp2.0.1' })
  await station.boot()
  const report = { requestId: 7, generatedAt: '2026-01-02T03:04:05Z', seqNo: 0, tbc: true, reportData: [] }
  station.call('NotifyReport', report, 'part')
  await station.next()
  const gone = world.plug('CP2', { version: 'ocpp2.0.1' })
  await gone.boot()
  gone.call('NotifyReport', report, 'part')
  await gone.next()
  for (const name of ['authorize', 'notify_report']) world.rpc.on(name, () => new Promise(() => undefined))
  gone.vanish()
  await quiet()
  for (const id of ['a', 'b']) station.call('Authorize', {}, id)
  await world.rpc.next('authorize')
  let isDrained = false
  void world.hub.drain(60_000).then(() => (isDrained = true))
  await quiet()
  assert.equal(isDrained, false)
  const made = world.rpc.names().length
  world.hub.abort()
  await quiet()
  assert.equal(isDrained, true)
  const answers = station.got.slice(-2).map(frame => frame.slice(0, 3))
  assert.deepEqual(answers, [
    [4, 'a', 'InternalError'],
    [4, 'b', 'InternalError'],
  ])
  assert.equal(station.socket.closed?.code, 1001)
  assert.equal(world.meter.total('ocpp_report_total', { outcome: 'lost' }), 2)
  assert.equal(
    world.notices.get('report NotifyReport the bridge is stopping'),
    'lost a report that the app did not take: request it again',
  )
  const warning = world.log.lines.find(({ message }) => message.startsWith('lost the Disconnect of stations'))
  assert.deepEqual(warning?.fields, { num: 2, stations: ['CP1', 'CP2'] })
  assert.equal(world.rpc.names().length, made)
})

test('abort closes a session that waits for an Ack', async t => {
  const world = new FakeWorld(t, { ackTimeoutMs: 60_000 })
  const station = world.plug('CP1')
  station.call('Authorize', {}, 'a')
  await world.rpc.next('authorize')
  const drained = world.hub.drain(1_000)
  await quiet()
  world.hub.abort()
  await drained
  assert.equal(station.socket.closed?.code, 1001)
})

test('abort closes all remaining sessions of a slow drain at once', async t => {
  const world = new FakeWorld(t)
  const stations = ['CP1', 'CP2', 'CP3', 'CP4'].map(stationId => world.plug(stationId))
  for (const station of stations) await station.boot()
  const drained = world.hub.drain(1_000, 60_000)
  await quiet()
  world.hub.abort()
  await world.pass(10)
  await drained
  assert.deepEqual([...new Set(stations.map(({ socket }) => socket.closed?.code))], [1001])
})

test('drain names the stations whose Disconnect is lost, and logs nothing when none is lost', async t => {
  for (const lost of [0, 2]) {
    const world = new FakeWorld(t)
    const stations = ['CP1', 'CP2', 'CP3'].map(stationId => world.plug(stationId))
    for (const station of stations) await station.boot()
    for (let times = 0; times < lost; times++) world.rpc.once('disconnect', fails(faults.absent))
    await world.hub.drain(1_000)
    world.hub.abort()
    const warned = world.log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields)
    assert.deepEqual(warned, lost === 0 ? [] : [{ num: lost, stations: ['CP1', 'CP2'] }])
  }
})

test('a session ends without a Disconnect, and the next connection does not wait, in mode never', async t => {
  const world = new FakeWorld(t, {}, { mode: 'never' })
  const old = world.plug('CP1')
  await old.boot('SN1')
  const station = world.plug('CP1')
  await station.boot('SN1')
  assert.equal((await old.socket.end()).code, 1008)
  await old.ended()
  await world.hub.drain(1_000)
  assert.equal(world.rpc.names().includes('disconnect'), false)
  assert.deepEqual(world.log.said('warn'), [])
})

test('a station has at most a thousand streams, and further ones are counted and logged once', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  const streams = Array.from({ length: 1_200 }, (_, at) => `s${at}` as StreamName)
  world.rpc.once('authorize', () => ({ streams }))
  station.call('Authorize')
  await station.next()
  assert.equal(world.hub.streamCount, 1_000)
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'streams' }), 201)
  assert.equal(world.notices.has('streams'), true)
  assert.equal(await isReached(world, station, 'SN1'), true)
})

test('an aborted drain logs no lost Disconnects when none are ever sent', async t => {
  const world = new FakeWorld(t, {}, { mode: 'never' })
  const station = world.plug('CP1')
  await station.boot()
  world.rpc.on('authorize', () => new Promise(() => undefined))
  station.call('Authorize')
  void world.hub.drain(60_000)
  await quiet()
  world.hub.abort()
  await quiet()
  assert.deepEqual(world.log.said('warn'), [])
})

test('a station that does not boot is subscribed with the serial number that the last process has left', async t => {
  const memory = new FakeMemory({ serialNumbers: [['CP1' as StationId, 'SN1']] })
  const world = new FakeWorld(t, {}, {}, memory)
  const station = world.plug('CP1')
  station.says([2, '1', 'Heartbeat', {}])
  await station.next()
  assert.equal(await isReached(world, station, 'SN1'), true)
})

test('a serial number is kept for the next process when it is new', async t => {
  const memory = new FakeMemory({ serialNumbers: [['CP1' as StationId, 'SN1']] })
  const world = new FakeWorld(t, {}, {}, memory)
  for (const sn of ['SN1', 'SN2', 'SN2']) await world.plug('CP1').boot(sn)
  await world.plug('CP2').boot('SN3')
  assert.deepEqual(memory.kept, [
    ['CP1', 'SN2'],
    ['CP2', 'SN3'],
  ])
})

test('strangers that boot while the app is away do not delay a station that it has accepted', async t => {
  const world = new FakeWorld(t)
  await world.plug('honest').boot()
  const waits = Array.from({ length: 500 }, (_, n) => world.hub.bootInterval(memberOf(world, `stranger-${n}`)))
  assert.ok((waits.at(-1) ?? 0) > 20)
  assert.ok(world.hub.bootInterval(memberOf(world, 'honest')) < 16)
  assert.ok(world.hub.bootInterval(memberOf(world, 'unknown')) > 20, 'one that it has not')
})

const memberOf = (world: FakeWorld, stationId: string) => world.hub.admit(handshakeFor(stationId), new FakeSocket())
