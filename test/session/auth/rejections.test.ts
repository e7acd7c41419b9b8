import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Rejections } from '../../../src/session/auth/rejections.ts'
import type { StationHandshake } from '../../../src/translate/handshake.ts'
import { FakeMeter, handshakeFor } from '../../support/fakes.ts'

const station = handshakeFor('CP1', { authorization: 'Basic A' })

function setUp() {
  const clock = { now: 0 }
  const meter = new FakeMeter()
  return { clock, meter, rejections: new Rejections({ now: () => clock.now, meter }) }
}

test('a rejection stands for 5 s, then for twice as long each time, and for 2 min at most', () => {
  const { clock, rejections } = setUp()
  const seconds = [5, 10, 20, 40, 80, 120, 120].map(expected => {
    rejections.add(station, 'unauthorized')
    const found = rejections.find(station)
    assert.deepEqual(found, { verdict: 'unauthorized', seconds: expected })
    clock.now += expected * 1000 - 1
    assert.equal(rejections.find(station)?.seconds, 1)
    clock.now += 1
    assert.equal(rejections.find(station), null)
    return expected
  })
  assert.equal(seconds.length, 7)
})

test('a rejection tells whether the app has rejected the same before', () => {
  const { clock, rejections } = setUp()
  assert.equal(rejections.add(station, 'unknown'), true)
  clock.now += 60_000
  assert.equal(rejections.add(station, 'unknown'), false)
  clock.now += 15 * 60_000
  assert.equal(rejections.add(station, 'unknown'), true, 'that was long ago')
  assert.equal(rejections.find(station)?.seconds, 5)
})

const { env } = station
const others: readonly (readonly [StationHandshake, string])[] = [
  [handshakeFor('CP1', { authorization: 'Basic B' }), 'another key'],
  [handshakeFor('CP1'), 'no key'],
  [handshakeFor('CP2', { authorization: 'Basic A' }), 'another station'],
  [{ ...station, env: { ...env, url: `${env.url}?token=1` } }, 'another query'],
  [{ ...station, env: { ...env, headers: { ...env.headers, REMOTE_ADDR: '192.0.2.2' } } }, 'another address'],
  [{ ...station, withheld: true }, 'a header that the app does not get'],
]
for (const [other, because] of others) {
  test(`a rejection does not stand for a station with ${because}: the app has not judged that`, () => {
    const { rejections } = setUp()
    rejections.add(station, 'unauthorized')
    assert.equal(rejections.find(other), null)
  })
}

test('a rejection is forgotten when the app has accepted the station', () => {
  const { rejections } = setUp()
  rejections.add(station, 'unauthorized')
  rejections.delete(station)
  assert.equal(rejections.find(station), null)
  assert.equal(rejections.add(station, 'unauthorized'), true)
})

test('100,000 rejections are remembered, then the oldest is forgotten', () => {
  const { meter, rejections } = setUp()
  rejections.add(station, 'unauthorized')
  for (let at = 1; at < 100_000; at++) rejections.add(handshakeFor(`CP1-${at}`), 'unknown')
  assert.notEqual(rejections.find(station), null)
  rejections.add(handshakeFor('CP1-last'), 'unknown')
  assert.equal(rejections.find(station), null)
  assert.equal(meter.total('ocpp_evicted_total', { kind: 'rejections' }), 1)
})
