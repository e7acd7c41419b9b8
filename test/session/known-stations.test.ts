import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KnownStations } from '../../src/session/known-stations.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { acks, FakeMeter, FakeWorld, handshakeFor } from '../support/fakes.ts'

test('a station that reconnects without a boot keeps the heartbeat interval that it was told', async t => {
  const world = new FakeWorld(t)
  world.rpc.once('boot_notification', acks({ status: 'Accepted', currentTime: '2026-01-02T03:04:05Z', interval: 300 }))
  const before = world.plug('CP1')
  await before.boot()
  before.vanish()
  assert.equal(world.plug('CP1').socket.heartbeatIntervalMs, 300_000)
  assert.equal(world.plug('CP2').socket.heartbeatIntervalMs, null)
})

test('the oldest of more than 100,000 heartbeat intervals is forgotten', () => {
  const meter = new FakeMeter()
  const known = new KnownStations({ now: () => 0, random: () => 0, meter })
  for (let count = 0; count <= 100_000; count++) known.keepHeartbeatInterval(`CP${count}` as StationId, 1)
  assert.equal(known.heartbeatIntervalOf('CP0' as StationId), null)
  assert.equal(known.heartbeatIntervalOf('CP1' as StationId), 1)
  assert.equal(meter.total('ocpp_evicted_total', { kind: 'heartbeats' }), 1)
})

test('the oldest of more than 100,000 digests of accepted credentials is forgotten', () => {
  const meter = new FakeMeter()
  const known = new KnownStations({ now: () => 0, random: () => 0, meter })
  const numbered = (at: number) => handshakeFor(`CP${at}`, { authorization: 'Basic A' })
  for (let at = 0; at <= 100_000; at++) known.onAccepted(numbered(at))
  assert.deepEqual([known.hasAccepted(numbered(0)), known.hasAccepted(numbered(1))], [false, true])
  assert.equal(meter.total('ocpp_evicted_total', { kind: 'credentials' }), 1)
})

test('an id is known once the app has accepted it, whatever the credentials', () => {
  const known = new KnownStations({ now: () => 0, random: () => 0, meter: new FakeMeter() })
  known.onAccepted(handshakeFor('CP1', { authorization: 'Basic A' }))
  assert.deepEqual([known.isKnown('CP1' as StationId), known.isKnown('CP2' as StationId)], [true, false])
})

test('a station is known by its last credentials that the app accepted, or by having none', () => {
  const known = new KnownStations({ now: () => 0, random: () => 0, meter: new FakeMeter() })
  const has = (authorization?: string): boolean =>
    known.hasAccepted(handshakeFor('CP1', authorization === undefined ? {} : { authorization }))
  assert.equal(has(), false)
  known.onAccepted(handshakeFor('CP1', { authorization: 'Basic A' }))
  assert.deepEqual([has('Basic A'), has('Basic B'), has()], [true, false, false])
  known.onAccepted(handshakeFor('CP1'))
  assert.deepEqual([has('Basic A'), has()], [false, true])
})

test('a station that the app is asked about is a guesser until then, unless the app has accepted its credentials before', () => {
  const known = new KnownStations({ now: () => 0, random: () => 0, meter: new FakeMeter() })
  const mine = handshakeFor('CP1', { authorization: 'Basic A' })
  const other = handshakeFor('CP1', { authorization: 'Basic B' })
  known.onAccepted(mine)
  const ends = Array.from({ length: 5 }, (_, at) =>
    known.onAsking(handshakeFor('CP1', { authorization: `Basic guess ${at}` })),
  )
  assert.equal(known.guesses.waitSeconds(other), 1)
  ends[0]?.()
  assert.equal(known.onAsking(mine), null)
  assert.equal(known.guesses.waitSeconds(other), null)
})

test('a certificate without a fingerprint, as from the PROXY protocol, is never the accepted one', () => {
  const known = new KnownStations({ now: () => 0, meter: new FakeMeter(), random: () => 0 })
  const has = (fingerprint: string): boolean => {
    const handshake = handshakeFor('CP1', { fingerprint })
    known.onAccepted(handshake)
    return known.hasAcceptedCertificate(handshake)
  }
  assert.deepEqual([has('AA:01'), has('')], [true, false])
})
