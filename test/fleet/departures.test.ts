import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Departures } from '../../src/fleet/departures.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { FakeWorld } from '../support/fakes.ts'

const refusal = { status: 404, reason: 'Wrong path', address: '192.0.2.1' }

test('a station that leaves is remembered with its sn and the reason', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  station.vanish()
  const left = world.hub.departures.leftOf(station.handshake.stationId)
  assert.deepEqual([left?.code, left?.sn, left?.version, left?.address], [1006, 'SN1', 'ocpp1.6', '192.0.2.1'])
})

test('ten thousand refusals are remembered, and evict no departure', t => {
  const world = new FakeWorld(t)
  const { departures } = world.hub
  const station = world.plug('CP1')
  station.vanish()
  for (let at = 0; at <= 10_000; at++) departures.onRefused(`X${at}` as StationId, refusal)
  assert.notEqual(departures.leftOf(station.handshake.stationId), null)
  assert.equal(departures.refusedOf('X0' as StationId), null)
  assert.equal([...departures.stationIds()].length, 10_001)
})

test('a station that was refused and has left is listed once', t => {
  const world = new FakeWorld(t)
  const departures = new Departures(() => 7)
  const { session } = world.plug('CP1')
  departures.onLeft(session, { code: 1000, reason: '' })
  departures.onRefused(session.handshake.stationId, refusal)
  assert.deepEqual([...departures.stationIds()], ['CP1'])
  assert.deepEqual(departures.refusedOf(session.handshake.stationId), { at: 7, ...refusal })
})
