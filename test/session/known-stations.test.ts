import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KnownStations, type DurableProofs } from '../../src/session/known-stations.ts'
import type { Version } from '../../src/ocpp/version.ts'
import type { Profile, Proof } from '../../src/translate/certificate.ts'
import type { StationHandshake, StationId } from '../../src/translate/handshake.ts'
import { acks, FakeWorld, handshakeFor } from '../support/fakes.ts'

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
  const known = new KnownStations()
  for (let count = 0; count <= 100_000; count++) known.keepHeartbeatInterval(`CP${count}` as StationId, 1)
  assert.equal(known.heartbeatIntervalOf('CP0' as StationId), null)
  assert.equal(known.heartbeatIntervalOf('CP1' as StationId), 1)
})

test('a station is known by its last credentials that the app accepted, or by having none', () => {
  const known = new KnownStations()
  const has = (authorization?: string): boolean =>
    known.hasAccepted(handshakeFor('CP1', authorization === undefined ? {} : { authorization }))
  assert.equal(has(), false)
  known.onAccepted(handshakeFor('CP1', { authorization: 'Basic A' }))
  assert.deepEqual([has('Basic A'), has('Basic B'), has()], [true, false, false])
  known.onAccepted(handshakeFor('CP1'))
  assert.deepEqual([has('Basic A'), has()], [false, true])
})

function proving(profile: Profile, serialNumber?: string, version: Version = 'ocpp1.6'): StationHandshake {
  return { ...handshakeFor('CP1', { version }), profile, ...(serialNumber !== undefined && { serialNumber }) }
}

const lower = (profile: Profile): string => `The Charging Station has used security profile ${profile} before`

const downgrades: readonly (readonly [
  before: readonly Profile[],
  now: Profile,
  version: Version,
  problem: string | null,
])[] = [
  [[], 0, 'ocpp1.6', null],
  [[0], 0, 'ocpp1.6', null],
  [[1], 1, 'ocpp1.6', null],
  [[1], 2, 'ocpp1.6', null],
  [[1], 0, 'ocpp1.6', lower(1)],
  [[2], 1, 'ocpp1.6', lower(2)],
  [[3], 2, 'ocpp1.6', lower(3)],
  [[3], 2, 'ocpp2.0.1', null],
  [[3], 2, 'ocpp2.1', null],
  [[3], 1, 'ocpp2.0.1', lower(3)],
  [[3, 2], 1, 'ocpp2.0.1', lower(3)],
  [[2], 1, 'ocpp2.0.1', lower(2)],
  [[2, 0], 1, 'ocpp1.6', lower(2)],
]
for (const [before, now, version, problem] of downgrades) {
  test(`${version} ${problem === null ? 'may' : 'may not'} use profile ${now} when it has used ${before.join(', then ') || 'none'}`, () => {
    const known = new KnownStations()
    for (const profile of before) known.onAccepted(proving(profile))
    assert.equal(known.downgradeProblem(proving(now, undefined, version)), problem)
    assert.equal(known.downgradeProblem({ ...proving(now, undefined, version), stationId: 'CP2' as StationId }), null)
  })
}

test('an identity keeps the serial number of the certificate with which the app accepted it first', () => {
  const known = new KnownStations()
  known.onAccepted(proving(3, 'SN1'))
  assert.equal(known.downgradeProblem(proving(3, 'SN1')), null)
  assert.match(known.downgradeProblem(proving(3, 'SN2')) ?? '', /another serial number/)
  assert.equal(known.downgradeProblem(proving(3)), null)
})

for (const downgrade of ['CP1', '*']) {
  test(`a station may prove less than before when it is named by ${downgrade}, and then that counts after a restart`, () => {
    const kept = new Map<StationId, Proof>()
    const durable: DurableProofs = {
      get proofs() {
        return [...kept]
      },
      onOpened: listener => listener(),
      keepProof: (station, proof) => void kept.set(station, proof),
    }
    const known = new KnownStations(['CP9', downgrade], durable)
    known.onAccepted(proving(3, 'SN1'))
    assert.equal(new KnownStations([], durable).downgradeProblem(proving(1)), lower(3))
    assert.equal(known.downgradeProblem(proving(1)), null)
    known.onAccepted(proving(1))
    assert.equal(new KnownStations([], durable).downgradeProblem(proving(1)), null)
    assert.equal(new KnownStations([], durable).downgradeProblem(proving(0)), lower(1))
  })
}

test('the oldest of more than 100,000 proofs is forgotten', () => {
  const known = new KnownStations()
  const numbered = (at: number, profile: Profile) => ({ ...proving(profile), stationId: `CP${at}` as StationId })
  for (let at = 0; at <= 100_000; at++) known.onAccepted(numbered(at, 2))
  assert.deepEqual(
    [0, 1].map(at => known.downgradeProblem(numbered(at, 1))),
    [null, lower(2)],
  )
})
