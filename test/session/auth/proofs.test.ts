import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Version } from '../../../src/ocpp/version.ts'
import { Proofs, type DurableProofs } from '../../../src/session/auth/proofs.ts'
import type { Profile, Proof } from '../../../src/translate/certificate.ts'
import type { StationHandshake, StationId } from '../../../src/translate/handshake.ts'
import { FakeMeter, handshakeFor } from '../../support/fakes.ts'

function proving(profile: Profile, serialNumber?: string, version: Version = 'ocpp1.6'): StationHandshake {
  return {
    ...handshakeFor('CP1', { version }),
    profile,
    proven: profile,
    ...(serialNumber !== undefined && { serialNumber }),
  }
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
    const proofs = new Proofs(new FakeMeter())
    for (const profile of before) proofs.onAccepted(proving(profile, undefined, version))
    assert.equal(proofs.downgradeProblem(proving(now, undefined, version)), problem)
    assert.equal(proofs.downgradeProblem({ ...proving(now, undefined, version), stationId: 'CP2' as StationId }), null)
  })
}

for (const [then, now, problem] of [
  ['ocpp1.6', 'ocpp2.0.1', lower(3)],
  ['ocpp2.0.1', 'ocpp1.6', lower(3)],
  ['ocpp2.0.1', 'ocpp2.1', null],
] as const) {
  test(`profile 2 after 3 is ${problem === null ? 'allowed' : 'refused'} with ${now} when the station has used ${then}`, () => {
    const proofs = new Proofs(new FakeMeter())
    proofs.onAccepted(proving(3, undefined, then))
    assert.equal(proofs.downgradeProblem(proving(2, undefined, now)), problem)
  })
}

test('the best proof of a station is known once the app has accepted it', () => {
  const proofs = new Proofs(new FakeMeter())
  const id = 'CP1' as StationId
  assert.equal(proofs.of(id), null)
  for (const profile of [1, 2, 1] as const) proofs.onAccepted(proving(profile))
  assert.deepEqual(proofs.of(id), { profile: 2, serialNumber: null, version: 'ocpp1.6' })
})

test('an identity keeps the serial number of the certificate with which the app accepted it first', () => {
  const proofs = new Proofs(new FakeMeter())
  proofs.onAccepted(proving(3, 'SN1'))
  assert.equal(proofs.downgradeProblem(proving(3, 'SN1')), null)
  assert.match(proofs.downgradeProblem(proving(3, 'SN2')) ?? '', /another serial number/)
  assert.equal(proofs.downgradeProblem(proving(3)), null)
})

for (const downgrade of ['CP1', '*']) {
  test(`a station may prove less than before when it is named by ${downgrade}, and then that counts after a restart`, () => {
    const kept = new Map<StationId, Proof>()
    const durable: DurableProofs = {
      onProofs: listener => void listener([...kept]),
      keepProof: (station, proof) => void kept.set(station, proof),
    }
    const proofs = new Proofs(new FakeMeter(), ['CP9', downgrade], durable)
    proofs.onAccepted(proving(3, 'SN1'))
    assert.equal(new Proofs(new FakeMeter(), [], durable).downgradeProblem(proving(1)), lower(3))
    assert.equal(proofs.downgradeProblem(proving(1)), null)
    proofs.onAccepted(proving(1))
    assert.equal(new Proofs(new FakeMeter(), [], durable).downgradeProblem(proving(1)), null)
    assert.equal(new Proofs(new FakeMeter(), [], durable).downgradeProblem(proving(0)), lower(1))
  })
}

const proof = (profile: Profile, serialNumber: string | null = null, version: Version | null = 'ocpp1.6'): Proof => ({
  profile,
  serialNumber,
  version,
})

const late: readonly (readonly [
  name: string,
  kept: Proof,
  now: readonly StationHandshake[],
  written: Proof | null,
  isLower: boolean,
])[] = [
  ['nothing after 3', proof(3), [proving(0)], null, true],
  ['2 after 3', proof(3), [proving(2)], null, true],
  ['2 after 3 of 2.0.1', proof(3, null, 'ocpp2.0.1'), [proving(2, undefined, 'ocpp2.0.1')], null, false],
  ['2 with 2.0.1 after 3 of 1.6', proof(3), [proving(2, undefined, 'ocpp2.0.1')], null, true],
  ['2 of 2.0.1 after 3 of an older release', proof(3, null, null), [proving(2, undefined, 'ocpp2.0.1')], null, true],
  ['the same', proof(3, 'SN1'), [proving(3, 'SN1')], null, false],
  ['3 after 2', proof(2), [proving(3, 'SN1')], proof(3, 'SN1'), false],
  ['nothing, then 3, after 2', proof(2), [proving(0), proving(3)], proof(3), false],
  ['3 with 2.0.1 after 3 of 1.6', proof(3), [proving(3, undefined, 'ocpp2.0.1')], proof(3, null, 'ocpp2.0.1'), false],
  ['another serial number', proof(3, 'SN1'), [proving(3, 'SN2')], null, true],
  ['no serial number', proof(3, 'SN1'), [proving(3)], null, false],
  ['the first serial number', proof(3), [proving(3, 'SN1')], proof(3, 'SN1'), false],
]
for (const [name, kept, now, written, isLower] of late) {
  for (const downgrade of [[], ['CP1']]) {
    test(`what the last process has left is known late, after ${name}, ${downgrade.length > 0 ? 'and counts no more when the operator allows less' : 'and nothing weaker is written'}`, () => {
      const id = 'CP1' as StationId
      const writes: unknown[] = []
      let open = (): readonly StationId[] => []
      const durable: DurableProofs = {
        onProofs: listener => (open = () => listener([[id, kept], ['CP2' as StationId, proof(2)]])), // prettier-ignore
        keepProof: (_station, each) => void writes.push(each),
      }
      const proofs = new Proofs(new FakeMeter(), downgrade, durable)
      for (const each of now) proofs.onAccepted(each)
      const last = proofs.of(id)
      assert.deepEqual(writes, [], 'nothing is written before')
      const lower = open()
      assert.deepEqual(proofs.of('CP2' as StationId), proof(2))
      if (downgrade.length > 0) {
        assert.deepEqual([proofs.of(id), lower], [last, []])
        assert.deepEqual(writes, name === 'the same' ? [] : [last])
      } else {
        assert.deepEqual([proofs.of(id), lower], [written ?? kept, isLower ? [id] : []])
        assert.deepEqual(writes, written === null ? [] : [written])
      }
    })
  }
}

test('the oldest of more than 100,000 proofs is forgotten', () => {
  const meter = new FakeMeter()
  const proofs = new Proofs(meter)
  const numbered = (at: number, profile: Profile) => ({ ...proving(profile), stationId: `CP${at}` as StationId })
  for (let at = 0; at <= 100_000; at++) proofs.onAccepted(numbered(at, 2))
  assert.deepEqual(
    [0, 1].map(at => proofs.downgradeProblem(numbered(at, 1))),
    [null, lower(2)],
  )
  assert.equal(meter.total('ocpp_evicted_total', { kind: 'proofs' }), 1)
})
