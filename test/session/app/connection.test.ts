import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { StreamName } from '../../../src/cable/rpc.ts'
import { AppConnection, identifierFor, mergeState } from '../../../src/session/app/connection.ts'
import { Session } from '../../../src/session/session.ts'
import { Station } from '../../../src/session/station.ts'
import {
  FakeFleet,
  FakeSocket,
  FakeWorld,
  acks,
  fails,
  faults,
  handshakeFor,
  transmitted,
  usualSettings,
  type RpcCall,
  type Said,
} from '../../support/fakes.ts'

const one = identifierFor('OCPPChannel', 'SN1')
const two = identifierFor('OCPPChannel', 'SN2')

/** A connection, and the streams of its session. */
function setUp(t: TestContext) {
  const world = new FakeWorld(t)
  const { rpc } = world
  const fleet = new FakeFleet()
  const station = new Station(handshakeFor('CP1'), new FakeSocket(), usualSettings, world)
  const connection = new AppConnection(station, fleet, new Session(station, fleet))
  const says = (name: string, said: Said): void => rpc.once(name, () => said)
  const last = (): RpcCall | undefined => rpc.made.all.at(-1)
  return { rpc, world, connection, says, last, streams: () => [...fleet.streams] as string[] }
}

async function setUpSubscribed(t: TestContext, said: Said = {}) {
  const parts = setUp(t)
  await parts.connection.connect()
  parts.says('subscribe', said)
  await parts.connection.subscribe(one)
  return parts
}

const streamNames = (...names: readonly string[]) => names as StreamName[]

test('the identifier is compact JSON with the channel first and no other keys', () => {
  assert.equal(identifierFor('OCPPChannel', 'S"N 1'), '{"channel":"OCPPChannel","sn":"S\\"N 1"}')
})

test('each RPC carries the caller and only the fields of its kind', async t => {
  const { rpc, connection } = await setUpSubscribed(t)
  await connection.perform('{"action":"heartbeat"}')
  await connection.unsubscribe()
  await connection.disconnect()
  const env = { ...handshakeFor('CP1').env, cstate: {}, istate: {} }
  const caller = { sid: 'id-1', env }
  const known = { ...caller, connectionIdentifiers: '{"station_id":"CP1"}' }
  assert.deepEqual(rpc.made.all, [
    { name: 'connect', ...caller, isReturning: false },
    { name: 'subscribe', ...known, command: 'subscribe', identifier: one, data: '' },
    { name: 'heartbeat', ...known, command: 'message', identifier: one, data: '{"action":"heartbeat"}' },
    { name: 'unsubscribe', ...known, command: 'unsubscribe', identifier: one, data: '' },
    { name: 'disconnect', ...known, subscriptions: [] },
  ])
})

test('cstate is merged from each reply and sent with each call, and an empty value deletes its key', async t => {
  const { connection, says, last } = setUp(t)
  says('connect', { cstate: { _s_: '{"a":1}', role: 'ev' } })
  await connection.connect()
  await connection.subscribe(one)
  assert.deepEqual(last()?.env.cstate, { _s_: '{"a":1}', role: 'ev' })
  says('heartbeat', { cstate: { role: '', seen: '"x"' } })
  await connection.perform('{"action":"heartbeat"}')
  assert.deepEqual(last()?.env.cstate, { _s_: '{"a":1}', role: 'ev' })
  await connection.disconnect()
  assert.deepEqual(last()?.env.cstate, { _s_: '{"a":1}', seen: '"x"' })
})

test('istate belongs to the subscribed identifier and is dropped with it', async t => {
  const { connection, says, last } = await setUpSubscribed(t, { istate: { boots: '0', tag: '"x"' } })
  says('boot_notification', { istate: { boots: '1', tag: '' } })
  await connection.perform('{"action":"boot_notification"}')
  assert.deepEqual(last()?.env.istate, { boots: '0', tag: '"x"' })
  says('unsubscribe', { istate: { left: 'behind' } })
  await connection.unsubscribe()
  assert.deepEqual(last()?.env.istate, { boots: '1' })
  await connection.subscribe(two)
  assert.deepEqual(last()?.env.istate, {})
  await connection.perform('{"action":"heartbeat"}')
  assert.deepEqual(last()?.env.istate, {})
})

test('Disconnect names the subscription and carries its istate as JSON text', async t => {
  const { connection, last } = await setUpSubscribed(t, { istate: { boots: '7', tag: '"\\"x\\""' } })
  await connection.disconnect()
  assert.deepEqual(last()?.subscriptions, [one])
  assert.deepEqual(last()?.env.istate, { [one]: '{"boots":"7","tag":"\\"\\\\\\"x\\\\\\"\\""}' })
})

test('Disconnect has an empty istate when the subscription has no state', async t => {
  const { connection, last } = await setUpSubscribed(t)
  await connection.disconnect()
  assert.deepEqual(last()?.subscriptions, [one])
  assert.deepEqual(last()?.env.istate, {})
})

test('no Disconnect is made when Connect returned FAILURE', async t => {
  const { rpc, connection, says } = setUp(t)
  says('connect', { status: 'failure' })
  assert.equal(await connection.connect(), null)
  assert.equal(connection.connectionIdentifiers, null)
  await connection.disconnect()
  assert.deepEqual(rpc.names(), ['connect'])
})

const rows: readonly [string, Said, string[]][] = [
  ['streams are added', { streams: streamNames('x', 'y') }, ['a', 'b', 'x', 'y']],
  ['one stream is stopped', { stoppedStreams: streamNames('a') }, ['b']],
  ['all streams are stopped', { stopAllStreams: true }, []],
  ['all streams are stopped, and one is started', { stopAllStreams: true, streams: streamNames('x') }, ['x']],
  ['all streams are stopped, and one of them is started', { stopAllStreams: true, streams: streamNames('a') }, ['a']],
  ['one stream is stopped and started', { stoppedStreams: streamNames('a'), streams: streamNames('a') }, ['b', 'a']],
  ['a stream is stopped that was never started', { stoppedStreams: streamNames('z') }, ['a', 'b']],
  ['one stream and all streams are stopped', { stopAllStreams: true, stoppedStreams: streamNames('a') }, []],
]
for (const [what, said, expected] of rows) {
  test(`a reply stops streams before it starts any: ${what}`, async t => {
    const { connection, says, streams } = await setUpSubscribed(t, { streams: streamNames('a', 'b') })
    says('authorize', said)
    await connection.perform('{"action":"authorize"}')
    assert.deepEqual(streams(), expected)
  })
}

test('only the cstate of a reply is applied when subscribe returns FAILURE', async t => {
  const { connection, says, last, streams } = setUp(t)
  await connection.connect()
  says('subscribe', { status: 'failure', streams: streamNames('x'), istate: { a: '1' }, cstate: { c: '1' } })
  await connection.subscribe(one)
  assert.equal(connection.identifier, null)
  assert.deepEqual(streams(), [])
  await connection.disconnect()
  assert.deepEqual(last()?.subscriptions, [])
  assert.deepEqual(last()?.env.cstate, { c: '1' })
  assert.deepEqual(last()?.env.istate, {})
})

const clearing = transmitted({ command: 'ClearCache', id: 'c1', payload: {} })
const resetting = transmitted({ command: 'Reset', id: 'c2', payload: { type: 'Soft' } })

test('a command in the reply to Connect goes to the station, before one in the reply to subscribe', async t => {
  const world = new FakeWorld(t)
  const { rpc } = world
  const station = world.plug('CP1')
  rpc.once('connect', () => clearing)
  rpc.once('subscribe', () => resetting)
  rpc.on('boot_notification', acks({ status: 'Accepted', currentTime: '', interval: 300 }))
  await station.boot()
  assert.deepEqual(await station.next(), [2, 'c1', 'ClearCache', {}])
  station.says([3, 'c1', { status: 'Accepted' }])
  assert.deepEqual(await station.next(), [2, 'c2', 'Reset', { type: 'Soft' }])
})

test('a command in the reply to unsubscribe goes to the station when a boot changes the serial number', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  world.rpc.on('boot_notification', acks({ status: 'Accepted', currentTime: '', interval: 300 }))
  await station.boot('SN1')
  world.rpc.once('unsubscribe', () => clearing)
  await station.boot('SN2')
  assert.deepEqual(await station.next(), [2, 'c1', 'ClearCache', {}])
})

test('a command in the reply to Connect waits for a subscribe that succeeds', async t => {
  const { rpc, connection, says } = setUp(t)
  says('connect', clearing)
  await connection.connect()
  rpc.once('subscribe', fails(faults.absent))
  await assert.rejects(connection.subscribe(one), faults.absent)
  const reply = await connection.subscribe(one)
  assert.deepEqual(reply.transmissions.slice(0, 1), clearing.transmissions)
  await connection.unsubscribe()
  assert.equal((await connection.subscribe(two)).transmissions.length, 1)
})

test('a command in the reply to Connect is counted as dropped when the app rejects the station', async t => {
  const { world, connection, says } = setUp(t)
  says('connect', { status: 'failure', transmissions: ['{"type":"disconnect","reason":"unauthorized"}'] })
  await connection.connect()
  assert.equal(world.meter.total('ocpp_dropped_total'), 0)
  says('connect', { status: 'failure', ...clearing })
  await connection.connect()
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'closed' }), 1)
})

test('an attempt to authenticate lasts from Connect to its reply, and not from the opening of the socket', async t => {
  const world = new FakeWorld(t)
  const fleet = new FakeFleet()
  const connections = Array.from({ length: 5 }, (_, at) => {
    const handshake = handshakeFor('CP1', { authorization: `Basic guess ${at}` })
    const station = new Station(handshake, new FakeSocket(), usualSettings, world)
    return new AppConnection(station, fleet, new Session(station, fleet))
  })
  const mine = handshakeFor('CP1', { authorization: 'Basic mine' })
  assert.equal(fleet.known.isPutOff(mine), false)
  const held = connections.map(() => world.rpc.hold('connect'))
  const connects = connections.map(connection => connection.connect())
  for (const each of held) await each.arrived()
  assert.equal(fleet.known.isPutOff(mine), true)
  for (const each of held) each.release()
  await Promise.all(connects)
  assert.equal(fleet.known.isPutOff(mine), false)
})

test('Connect is not made and the session closes when too many credentials were wrong since the socket opened', async t => {
  const world = new FakeWorld(t)
  const fleet = new FakeFleet()
  const handshake = handshakeFor('CP1', { authorization: 'Basic A' })
  const station = new Station(handshake, new FakeSocket(), usualSettings, world)
  const connection = new AppConnection(station, fleet, new Session(station, fleet))
  for (let at = 0; at < 5; at++) fleet.known.guesses.add(handshakeFor('CP1', { authorization: `Basic guess ${at}` }))
  await assert.rejects(connection.connect(), { code: 'exhausted', outcome: 'notRun' })
  assert.equal(station.closing?.code, 1008)
  assert.deepEqual(world.rpc.names(), [])
})

test('unsubscribe leaves every stream, whatever the reply lists', async t => {
  const { connection, says, streams } = await setUpSubscribed(t, { streams: streamNames('a', 'b') })
  says('unsubscribe', { stopAllStreams: false, streams: streamNames('x') })
  await connection.unsubscribe()
  assert.deepEqual(streams(), [])
  assert.equal(connection.identifier, null)
})

test('state and streams are unchanged when a call gets no reply', async t => {
  const { rpc, connection, last, streams } = await setUpSubscribed(t, { streams: streamNames('a'), istate: { a: '1' } })
  rpc.once('unsubscribe', fails(faults.slow))
  await assert.rejects(connection.unsubscribe(), faults.slow)
  rpc.once('authorize', fails(faults.raised))
  await assert.rejects(connection.perform('{"action":"authorize"}'), faults.raised)
  assert.equal(connection.identifier, one)
  assert.deepEqual(streams(), ['a'])
  await connection.disconnect()
  assert.deepEqual(last()?.env.istate, { [one]: '{"a":"1"}' })
})

test('the state of a call does not change when a later reply changes the state', async t => {
  const { rpc, connection } = await setUpSubscribed(t, { istate: { a: '1' } })
  rpc.once('authorize', () => ({ istate: { a: '2' } }))
  await connection.perform('{"action":"authorize"}')
  assert.deepEqual(rpc.made.all.find(({ name }) => name === 'authorize')?.env.istate, { a: '1' })
})

const merges = [
  [{}, {}, {}, 'empty state and empty reply'],
  [{ a: '1' }, {}, { a: '1' }, 'a reply without changes'],
  [{}, { a: '1' }, { a: '1' }, 'a new key'],
  [{ a: '1', b: '2' }, { a: '3' }, { a: '3', b: '2' }, 'a changed key leaves the others'],
  [{ a: '1', b: '2' }, { a: '' }, { b: '2' }, 'an empty value deletes its key'],
  [{ b: '2' }, { a: '' }, { b: '2' }, 'an empty value for an absent key changes nothing'],
  [{ a: '1' }, { a: 'null' }, { a: 'null' }, "the text null (Ruby's nil) is kept"],
  [{ a: '1' }, { a: '""' }, { a: '""' }, 'a JSON empty string is kept'],
  [{ a: '1' }, { a: '', b: '2' }, { b: '2' }, 'one reply deletes and adds keys'],
  [
    { $w: 's' },
    { _s_: '{}', __ltags__: '[]' },
    { $w: 's', _s_: '{}', __ltags__: '[]' },
    "AnyCable's own keys are keys",
  ],
] as const
for (const [state, changes, expected, because] of merges) {
  test(`mergeState: ${because}`, () => {
    assert.deepEqual(mergeState(state, changes).state, expected)
  })
}

test('mergeState drops what is beyond 1,000 keys or 65,536 characters, the value before included', () => {
  const numbered = (from: number, to: number) =>
    Object.fromEntries(Array.from({ length: to - from }, (_, at) => [`k${from + at}`, '1']))
  let dropped = 0
  const merge = (before: Record<string, string>, changes: Record<string, string>) => {
    const merged = mergeState(before, changes)
    dropped += merged.dropped
    return merged.state
  }
  const full = merge(numbered(0, 999), numbered(999, 1_010))
  assert.deepEqual([Object.keys(full).length, dropped, full['k999'], full['k1000']], [1_000, 10, '1', undefined])
  const changed = merge(full, { k5: '2', k6: '', more: '1', last: '1' })
  assert.deepEqual([changed['k5'], changed['more'], changed['last'], dropped], ['2', '1', undefined, 11])
  const most = 'x'.repeat(64 * 1024 - 1)
  assert.equal(merge({}, { a: most })['a'], most)
  assert.deepEqual(merge({ a: most }, { b: '1' }), { a: most })
  assert.deepEqual(merge({ a: '1', b: '1' }, { a: most }), { b: '1' }, 'no value is better than the old one')
  assert.deepEqual(merge({ a: most }, { a: '', b: '1' }), { b: '1' })
  assert.equal(dropped, 13)
})

test('state beyond 1,000 keys or 65,536 characters is dropped, counted and logged once, and room is made by deleting', async t => {
  const { world, connection, says, last } = await setUpSubscribed(t)
  const big = 'x'.repeat(40_000)
  for (const istate of [{ a: big }, { b: big }, { c: big }]) {
    says('data', { istate })
    await connection.perform('{"action":"data"}')
  }
  says('data', { istate: { a: '', d: big }, cstate: { own: big } })
  await connection.perform('{"action":"data"}')
  await connection.perform('{"action":"data"}')
  assert.deepEqual([Object.keys(last()?.env.istate ?? {}), Object.keys(last()?.env.cstate ?? {})], [['d'], ['own']])
  assert.equal(world.meter.total('ocpp_dropped_total'), 2)
  assert.equal(world.notices.size, 1)
})

test('mergeState changes neither of its arguments', () => {
  const [state, changes] = [Object.freeze({ a: '1', b: '2' }), Object.freeze({ a: '', c: '3' })]
  assert.deepEqual(mergeState(state, changes).state, { b: '2', c: '3' })
})

for (const key of ['__proto__', 'constructor', 'toString']) {
  test(`mergeState treats the key ${key} like any other, as a change, a deletion and in the state`, () => {
    const odd = JSON.parse(`{"${key}":"x","a":"1"}`) as Record<string, string>
    const deleting = JSON.parse(`{"${key}":""}`) as Record<string, string>
    for (const merged of [
      mergeState({ b: '2' }, odd).state,
      mergeState(odd, { b: '2' }).state,
      mergeState(mergeState({ b: '2' }, odd).state, deleting).state,
    ]) {
      assert.equal(merged['b'], '2')
      assert.equal(Object.getPrototypeOf(merged), Object.prototype)
      assert.ok(Object.values(merged).every(value => typeof value === 'string'))
    }
    assert.equal(Object.hasOwn(mergeState(odd, deleting).state, key), false)
    assert.equal(typeof Reflect.get({}, 'toString'), 'function')
  })
}
