/** Several connections of one station: which one stays, and how fast they may replace each other. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StationKeys } from '../../src/session/ports.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { acks, FakeMemory, FakeWorld, quiet, type FakeStation } from '../support/fakes.ts'

const replaced = { code: 1008, reason: 'Replaced by a newer connection' }
const taken = { code: 1008, reason: 'Another connection of this station is open' }
const minute = 60_000

/** Connects a station that the app accepts. */
async function connect(world: FakeWorld, authorization?: string): Promise<FakeStation> {
  const station = world.plug('CP1', authorization === undefined ? {} : { authorization })
  station.call('Heartbeat', {}, 'h')
  await station.next()
  return station
}

test('the second connection is closed when the app has accepted it, and the first stays, in mode refuse', async t => {
  const world = new FakeWorld(t, { takeover: 'refuse' })
  const first = await connect(world, 'Basic A')
  assert.equal(world.hub.claims.isTaken(first.handshake.stationId), true)
  const second = world.plug('CP1', { authorization: 'Basic A' })
  second.call('Heartbeat', {}, 'h')
  assert.deepEqual(await second.socket.end(), taken)
  assert.equal(first.socket.closed, null)
  assert.equal(world.meter.total('ocpp_takeover_total'), 0)
  first.call('Heartbeat', {}, 'h2')
  assert.equal((await first.next())[1], 'h2')
})

test('a connection is accepted when the first one has ended, in mode refuse', async t => {
  const world = new FakeWorld(t, { takeover: 'refuse' })
  const first = await connect(world)
  first.vanish()
  assert.equal(world.hub.claims.isTaken(first.handshake.stationId), false)
  assert.equal((await connect(world)).socket.closed, null)
})

test('a station is never taken in mode newest', async t => {
  const world = new FakeWorld(t)
  const first = await connect(world)
  assert.equal(world.hub.claims.isTaken(first.handshake.stationId), false)
})

for (const authorization of [undefined, 'Basic A']) {
  test(`the third takeover within a minute is slowed down, after two at once (credentials: ${authorization ?? 'none'})`, async t => {
    const world = new FakeWorld(t)
    const one = await connect(world, authorization)
    const two = await connect(world, authorization)
    const three = await connect(world, authorization)
    assert.deepEqual([one.socket.closed, two.socket.closed, three.socket.closed], [replaced, replaced, null])
    const four = world.plug('CP1', authorization === undefined ? {} : { authorization })
    four.call('Heartbeat', {}, 'h')
    await world.pass(4_000, 100)
    assert.equal(three.socket.closed, null)
    assert.deepEqual(four.got, [])
    await world.pass(2_000, 100)
    assert.deepEqual(three.socket.closed, replaced)
    assert.equal((await four.next())[1], 'h')
    assert.equal(world.meter.total('ocpp_takeover_slowed_total'), 1)
    assert.equal(world.meter.total('ocpp_takeover_total'), 3)
    assert.deepEqual(
      [...world.notices.values()],
      ['connections of one station keep replacing each other: look for a second device with its id'],
    )
  })
}

test('of many connections with the same credentials, one waits before its takeover', async t => {
  const world = new FakeWorld(t)
  for (let count = 0; count < 3; count++) await connect(world, 'Basic A')
  for (let count = 0; count < 10; count++) {
    world.plug('CP1', { authorization: 'Basic A' }).call('Heartbeat', {}, 'h')
    await world.pass(100, 100)
    assert.equal(world.hub.size, 2)
  }
  await world.pass(4_000, 100)
  assert.equal(world.hub.size, 1, 'the wait has not begun anew with each of them')
})

test('of many connections that the app has accepted, whatever their credentials, one waits before its takeover', async t => {
  const world = new FakeWorld(t)
  for (let count = 0; count < 3; count++) await connect(world, 'Basic A')
  for (let count = 0; count < 10; count++) {
    world.plug('CP1', { authorization: `Basic A${' '.repeat(count)}` }).call('Heartbeat', {}, 'h')
    await world.pass(100, 100)
  }
  assert.equal(world.hub.size, 2)
})

const silent: readonly (readonly [Parameters<FakeWorld['plug']>[1], hasKeys: boolean, left: number, string])[] = [
  [{ authorization: 'Basic A' }, false, 1, 'the same credentials'],
  [{ fingerprint: 'ab' }, false, 1, 'the same certificate'],
  [{}, true, 1, 'a key that the bridge has checked'],
  [{}, false, 10, 'nothing that proves anything'],
]
for (const [offer, hasKeys, left, because] of silent)
  for (const takeover of ['newest', 'refuse'] as const)
    test(`of ten silent connections of a station with ${because}, ${left} stay (${takeover})`, t => {
      const world = new FakeWorld(t, { takeover })
      if (hasKeys) world.keys = {} as StationKeys
      const stations = Array.from({ length: 10 }, () => world.plug('CP1', offer))
      assert.equal(world.hub.size, left)
      assert.equal(stations.at(-1)?.socket.closed, null, 'the newest')
    })

test('silent connections with other credentials do not close that of a station', t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1', { authorization: 'Basic A' })
  for (let at = 0; at < 10; at++) world.plug('CP1', { authorization: `Basic guess ${at}` })
  assert.equal(station.socket.closed, null)
})

test('a delayed takeover happens at once when the older connection ends', async t => {
  const world = new FakeWorld(t)
  for (let count = 0; count < 2; count++) await connect(world)
  const three = await connect(world)
  const four = world.plug('CP1')
  four.call('Heartbeat', {}, 'h')
  await quiet()
  assert.deepEqual(four.got, [])
  three.vanish()
  assert.equal((await four.next())[1], 'h')
})

test('the newest of two connections wins when both takeovers are delayed', async t => {
  const world = new FakeWorld(t)
  for (let count = 0; count < 3; count++) await connect(world)
  const four = world.plug('CP1')
  const five = world.plug('CP1')
  for (const station of [five, four]) station.call('Heartbeat', {}, 'h')
  await world.pass(30_000, 1_000)
  assert.deepEqual([four.socket.closed, five.socket.closed], [replaced, null])
  assert.equal((await five.next())[1], 'h')
})

test('the older connection stays open when a delayed one ends', async t => {
  const world = new FakeWorld(t)
  for (let count = 0; count < 2; count++) await connect(world)
  const three = await connect(world)
  const four = world.plug('CP1')
  four.call('Heartbeat', {}, 'h')
  await quiet()
  four.vanish()
  await world.pass(100)
  await four.ended()
  assert.equal(three.socket.closed, null)
  assert.equal(world.hub.size, 1)
})

test('a rejected connection does not end the delay of another takeover', async t => {
  const world = new FakeWorld(t)
  for (let count = 0; count < 2; count++) await connect(world)
  const three = await connect(world)
  const four = world.plug('CP1')
  four.call('Heartbeat', {}, 'h')
  await quiet()
  world.rpc.once('connect', () => ({ status: 'failure' }))
  const stranger = world.plug('CP1')
  stranger.call('Heartbeat', {}, 's')
  await world.pass(1_000, 100)
  assert.equal(stranger.socket.closed?.code, 1008)
  assert.deepEqual(four.got, [])
  assert.equal(three.socket.closed, null)
})

test('a takeover is not delayed after a minute without takeovers, or for another station', async t => {
  const world = new FakeWorld(t)
  for (let count = 0; count < 3; count++) await connect(world)
  for (let count = 0; count < 2; count++) {
    const other = world.plug('CP2')
    other.call('Heartbeat', {}, 'h')
    assert.equal((await other.next())[1], 'h')
  }
  await world.pass(minute, 1_000)
  const later = await connect(world)
  assert.equal(later.socket.closed, null)
  assert.equal(world.meter.total('ocpp_takeover_slowed_total'), 0)
})

test('a drain does not wait for a delayed takeover', async t => {
  const world = new FakeWorld(t)
  world.rpc.on('boot_notification', acks({ status: 'Accepted' }))
  for (let count = 0; count < 3; count++) await connect(world)
  const four = world.plug('CP1')
  four.call('Heartbeat', {}, 'h')
  await quiet()
  const drained = world.hub.drain(10_000)
  await world.pass(100)
  await drained
  assert.equal(world.hub.size, 0)
})

test('every connection of a station is closed when its key counts no more, and no other station is', async t => {
  const world = new FakeWorld(t)
  const first = await connect(world)
  const second = world.plug('CP1')
  const other = world.plug('CP2')
  world.hub.claims.closeStations([first.handshake.stationId])
  const lost = { code: 1008, reason: 'The key of this station has changed' }
  assert.deepEqual([await first.socket.end(), await second.socket.end()], [lost, lost])
  assert.equal(other.socket.closed, null)
})

const lower = { code: 1008, reason: 'The Charging Station has used security profile 3 before' }

test('a connection is closed when the store shows that its station has proved more, and no other one is', async t => {
  const memory = new FakeMemory()
  const opening: (() => unknown)[] = []
  const proof = { profile: 3, serialNumber: null, version: 'ocpp1.6' } as const
  memory.onProofs = listener => void opening.unshift(() => listener([['CP1' as StationId, proof]]))
  memory.onOpened = listener => void opening.push(listener)
  const world = new FakeWorld(t, {}, {}, memory)
  const accepted = await connect(world)
  const silent = world.plug('CP1')
  const proving = world.plug('CP1', { proven: 3 })
  const other = world.plug('CP2')
  for (const open of opening) open()
  assert.deepEqual([await accepted.socket.end(), await silent.socket.end()], [lower, lower])
  assert.deepEqual([proving.socket.closed, other.socket.closed], [null, null])
  assert.equal(world.hub.known.proofs.of('CP1' as StationId)?.profile, 3)
})

test('a connection is closed when the app accepts it after another one that has proved more', async t => {
  const world = new FakeWorld(t)
  const [plain, proving] = [world.plug('CP1'), world.plug('CP1', { proven: 3 })]
  proving.call('Heartbeat', {}, 'h')
  await proving.next()
  assert.deepEqual(await plain.socket.end(), replaced)
  const late = world.plug('CP1')
  late.call('Heartbeat', {}, 'h')
  assert.deepEqual(await late.socket.end(), lower)
  assert.equal(proving.socket.closed, null)
})
