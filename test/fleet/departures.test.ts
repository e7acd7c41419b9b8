import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Departures } from '../../src/fleet/departures.ts'
import type { LastSeen } from '../../src/session/ports.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { dawn, FakeMemory, FakeWorld } from '../support/fakes.ts'

const refusal = { status: 404, reason: 'Wrong path', address: '192.0.2.1' }

test('a station that leaves is remembered with its sn and the reason', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  station.vanish()
  const left = world.hub.departures.leftOf(station.handshake.stationId)
  assert.deepEqual([left?.code, left?.sn, left?.version, left?.address], [1006, 'SN1', 'ocpp1.6', '192.0.2.1'])
})

const evicted = ({ meter }: FakeWorld, kind: string) => meter.total('ocpp_evicted_total', { kind })

test('ten thousand refusals are remembered, and evict no departure', async t => {
  const world = new FakeWorld(t)
  const { departures } = world.hub
  const station = world.plug('CP1')
  await station.boot()
  station.vanish()
  for (let at = 0; at <= 10_000; at++) departures.onRefused(`X${at}` as StationId, refusal)
  assert.notEqual(departures.leftOf(station.handshake.stationId), null)
  assert.equal(departures.refusedOf('X0' as StationId), null)
  assert.equal([...departures.stationIds()].length, 10_001)
  assert.deepEqual([evicted(world, 'refusals'), evicted(world, 'departures')], [1, 0])
})

test('ten thousand connections that the app had not accepted are remembered, and evict no departure', async t => {
  const world = new FakeWorld(t)
  const { departures } = world.hub
  const station = world.plug('CP1')
  await station.boot()
  station.vanish()
  for (let at = 0; at <= 10_000; at++) world.plug(`X${at}`).vanish()
  assert.deepEqual([departures.leftOf(one)?.sn, departures.leftOf('X0' as StationId)], ['SN-CP1', null])
  assert.equal(departures.leftOf('X1' as StationId)?.code, 1006)
  assert.deepEqual([[...departures.stationIds()].length, departures.size], [10_001, 10_001])
  assert.deepEqual([evicted(world, 'strangers'), evicted(world, 'departures')], [1, 0])
})

test('ten thousand departures are remembered', t => {
  const world = new FakeWorld(t)
  const { departures } = world.hub
  for (let at = 0; at <= 10_000; at++) departures.onLeft(world.plug(`X${at}`).session, { code: 1006, reason: '' }, true)
  assert.deepEqual([departures.leftOf('X0' as StationId), evicted(world, 'departures')], [null, 1])
})

test('a connection that the app had not accepted changes nothing of the station that has left', async t => {
  const memory = new FakeMemory()
  const world = new FakeWorld(t, {}, {}, memory)
  const { departures } = world.hub
  const station = world.plug('CP1')
  await station.boot('SN1')
  station.vanish()
  const [left, seen] = [departures.leftOf(one), memory.seen.get(one)]
  await world.pass(10)
  world.plug('CP1').vanish()
  world.plug('CP2').vanish()
  assert.deepEqual([departures.leftOf(one), [...memory.seen.values()]], [left, [seen]])
  assert.deepEqual([...departures.stationIds()], ['CP1', 'CP2'])
})

test('a connection that the app had not accepted is not shown as the last one of a connected station', async t => {
  const world = new FakeWorld(t)
  const { departures } = world.hub
  world.plug('CP1').vanish()
  assert.equal(departures.leftOf(one)?.code, 1006)
  await world.plug('CP1').boot()
  assert.equal(departures.leftOf(one), null)
})

test('a station that was refused and has left is listed once', t => {
  const world = new FakeWorld(t)
  const { meter } = world
  const departures = new Departures({ now: () => 7, date: () => new Date(), meter }, null, () => null)
  const { session } = world.plug('CP1')
  departures.onLeft(session, { code: 1000, reason: '' }, true)
  departures.onRefused(session.handshake.stationId, refusal)
  assert.deepEqual([...departures.stationIds()], ['CP1'])
  assert.deepEqual(departures.refusedOf(session.handshake.stationId), { at: 7, ...refusal })
})

const one = 'CP1' as StationId
const ofCp1 = { stationId: one, version: 'ocpp1.6', address: '192.0.2.1', sn: 'SN1', refusal: null } as const

test('a station is kept as connected when the app has accepted it, and with its end when it has left', async t => {
  const memory = new FakeMemory()
  const world = new FakeWorld(t, {}, {}, memory)
  const station = world.plug('CP1')
  assert.equal(memory.seen.size, 0)
  await station.boot('SN1')
  assert.deepEqual(memory.seen.get(one), { ...ofCp1, at: dawn, end: null })
  await world.pass(1_000)
  station.vanish()
  const { code = 0, reason = '' } = world.hub.departures.leftOf(one) ?? {}
  assert.deepEqual(memory.seen.get(one), { ...ofCp1, at: dawn + 1_000, end: { code, reason } })
})

test('a station stays kept as connected when another peer with its id leaves', async t => {
  const memory = new FakeMemory()
  const world = new FakeWorld(t, {}, {}, memory)
  await world.plug('CP1').boot('SN1')
  world.plug('CP1').vanish()
  assert.equal(memory.seen.get(one)?.end, null)
})

test('a station is kept as connected when its new connection has replaced the old one', async t => {
  const memory = new FakeMemory()
  const world = new FakeWorld(t, {}, {}, memory)
  const authorization = 'Basic Q1AxOnNlY3JldA=='
  const old = world.plug('CP1', { authorization })
  await old.boot('SN1')
  await world.plug('CP1', { authorization }).boot('SN1')
  assert.equal(old.session.isClosed, true)
  assert.equal(memory.seen.get(one)?.end, null)
})

test('a refusal is kept of a station that has left, once for each reason', async t => {
  const memory = new FakeMemory()
  const world = new FakeWorld(t, {}, {}, memory)
  const { departures } = world.hub
  const station = world.plug('CP1')
  await station.boot('SN1')
  departures.onRefused(one, refusal)
  departures.onRefused('CP2' as StationId, refusal)
  assert.deepEqual([memory.seen.get(one)?.refusal, memory.seen.size], [null, 1])
  station.vanish()
  for (const [status, at] of [
    [409, dawn + 10],
    [409, dawn + 10],
    [503, dawn + 30],
  ] as const) {
    await world.pass(10)
    departures.onRefused(one, { ...refusal, status })
    assert.deepEqual(memory.seen.get(one)?.refusal, { ...refusal, status, at })
  }
})

const before: readonly LastSeen[] = ['CP1', 'CP2'].map(id => ({
  ...ofCp1,
  stationId: id as StationId,
  at: dawn - 5_000,
  end: { code: 1001, reason: 'Server restart' },
  refusal: id === 'CP1' ? { ...refusal, at: dawn - 6_000 } : null,
}))

test('the stations of the last process are remembered, at their times', t => {
  const { departures } = new FakeWorld(t, {}, {}, new FakeMemory({ lastSeen: before })).hub
  const { version, address, sn } = ofCp1
  const left = { code: 1001, reason: 'Server restart', version, address, sn, errors: [], ends: [], at: dawn - 5_000 }
  assert.deepEqual([departures.leftOf(one), departures.leftOf('CP2' as StationId)], [left, left])
  assert.deepEqual([departures.size, departures.refusedOf(one)], [2, { ...refusal, at: dawn - 6_000 }])
})

test('a station of the last process that this one has seen leave is remembered as of now', async t => {
  const memory = new FakeMemory({ lastSeen: before })
  let open = (): void => assert.fail()
  memory.onOpened = listener => (open = listener)
  const world = new FakeWorld(t, {}, {}, memory)
  const { departures } = world.hub
  const station = world.plug('CP1')
  await station.boot('SN1')
  station.vanish()
  departures.onRefused(one, refusal)
  open()
  assert.deepEqual([departures.leftOf(one)?.at, departures.refusedOf(one)?.at], [dawn, dawn])
  assert.deepEqual([...departures.stationIds()], ['CP2', 'CP1'])
})

test('a station that is connected again does not count as departed', async t => {
  const world = new FakeWorld(t)
  const { departures } = world.hub
  const station = world.plug('CP1')
  await station.boot('SN1')
  station.vanish()
  assert.equal(departures.size, 1)
  world.plug('CP1')
  assert.equal(departures.size, 0)
})

test('ten thousand stations of the last process are remembered, the ones seen last', t => {
  const lastSeen = Array.from({ length: 10_001 }, (_, at): LastSeen => {
    return { ...ofCp1, stationId: `X${at}` as StationId, at, end: { code: 1001, reason: '' } }
  })
  const { departures } = new FakeWorld(t, {}, {}, new FakeMemory({ lastSeen })).hub
  assert.deepEqual([departures.size, departures.leftOf('X0' as StationId)], [10_000, null])
})
