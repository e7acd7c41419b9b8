import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Guesses } from '../../../src/session/auth/guesses.ts'
import { FakeMeter, handshakeFor } from '../../support/fakes.ts'

/** A generator of Lehmer: the same numbers in each run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

function setUp() {
  const clock = { now: 0 }
  const meter = new FakeMeter()
  return { clock, meter, guesses: new Guesses({ now: () => clock.now, random: seeded(1), meter }) }
}

function from(address: string, stationId = 'CP1') {
  const { env } = handshakeFor(stationId)
  return { ...handshakeFor(stationId), env: { ...env, headers: { REMOTE_ADDR: address } } }
}

const guesser = from('192.0.2.1')

test('four attempts are free, and each further one doubles the wait, up to 5 s', () => {
  const { clock, guesses } = setUp()
  const waits = Array.from({ length: 16 }, () => {
    guesses.add(guesser)
    const seconds = guesses.waitSeconds(guesser)
    clock.now += (seconds ?? 0) * 1000
    assert.equal(guesses.waitSeconds(guesser), null)
    return seconds
  })
  assert.deepEqual(waits, [null, null, null, null, 1, 2, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5])
})

test('attempts are forgotten after 15 min, and when the station is accepted', () => {
  const { clock, guesses } = setUp()
  const fail = (times: number): void => {
    for (let at = 0; at < times; at++) guesses.add(guesser)
  }
  fail(5)
  assert.equal(guesses.waitSeconds(guesser), 1)
  clock.now += 15 * 60_000
  fail(4)
  assert.equal(guesses.waitSeconds(guesser), null)
  fail(1)
  guesses.onAccepted(guesser)
  assert.equal(guesses.waitSeconds(guesser), null)
})

test('a station that is accepted clears no guesses that were made in several spellings', () => {
  const { guesses } = setUp()
  for (const id of ['CP1', 'cp1', 'Cp1', 'CP1 ', 'CP1']) guesses.add(from('192.0.2.1', id))
  guesses.onAccepted(guesser)
  assert.notEqual(guesses.waitSeconds(guesser), null)
})

const neighbours: readonly (readonly [address: string, stationId: string, waits: boolean, because: string])[] = [
  ['192.0.2.1', 'CP1', true, 'the guesser itself'],
  ['192.0.2.2', 'CP1', false, 'the station at its own address'],
  ['192.0.2.1', 'CP2', false, 'a neighbour behind the same address'],
  ['192.0.2.1', 'cp1  ', true, 'another spelling of the station, which is the same to many databases'],
]
for (const [address, stationId, waits, because] of neighbours) {
  test(`${stationId} at ${address} ${waits ? 'waits' : 'does not wait'} when CP1 is guessed from 192.0.2.1: ${because}`, () => {
    const { guesses } = setUp()
    for (let at = 0; at < 20; at++) guesses.add(guesser)
    assert.equal(guesses.waitSeconds(from(address, stationId)) !== null, waits)
  })
}

test('a station that is accepted clears no guesses for another spelling of its identity', () => {
  const { guesses } = setUp()
  for (let at = 0; at < 4; at++) guesses.add(guesser)
  guesses.onAccepted(from('192.0.2.1', 'cp1'))
  guesses.add(guesser)
  assert.notEqual(guesses.waitSeconds(guesser), null)
  guesses.onAccepted(guesser)
  assert.equal(guesses.waitSeconds(guesser), null)
})

const networks: readonly (readonly [one: string, other: string, same: boolean, because: string])[] = [
  ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', true, 'a peer has all addresses of its /64'],
  ['2001:db8:1:2::1', '2001:db8:1:3::1', false, 'another network'],
  ['2001:db8::1', '2001:db8:0:0:5:6:7:8', true, 'zeros may be left out'],
  ['::1', '::2', true, 'all of them may be'],
  ['fe80::1', 'fe80:0:0:0:1::', true, 'at either end'],
]
for (const [one, other, same, because] of networks) {
  test(`${one} and ${other} are ${same ? 'one network' : 'two networks'}: ${because}`, () => {
    const { guesses } = setUp()
    for (let at = 0; at < 5; at++) guesses.add(from(one))
    assert.equal(guesses.waitSeconds(from(other)) !== null, same)
  })
}

test('an address has attempts for 10,000 stations at once, and then for 50 a second', () => {
  const { clock, guesses } = setUp()
  for (let at = 0; at < 10_000; at++) guesses.add(from('192.0.2.1', `CP${at}`))
  assert.equal(guesses.waitSeconds(from('192.0.2.1', 'one more')), 60)
  assert.equal(guesses.waitSeconds(from('192.0.2.2', 'one more')), null)
  clock.now += 1_000
  for (let at = 0; at < 50; at++) {
    assert.equal(guesses.waitSeconds(from('192.0.2.1', `more ${at}`)), null)
    guesses.add(from('192.0.2.1', `more ${at}`))
  }
  assert.equal(guesses.waitSeconds(from('192.0.2.1', 'one more')), 60)
})

test('an attempt counts for its station and its address until it is taken back', () => {
  const { guesses } = setUp()
  for (let at = 0; at < 5; at++) guesses.add(guesser)
  assert.equal(guesses.waitSeconds(guesser), 1)
  guesses.takeBack(guesser)
  assert.equal(guesses.waitSeconds(guesser), null, 'of its station')
  for (let at = 0; at < 9_996; at++) guesses.add(from('192.0.2.1', `CP1 ${at}`))
  assert.equal(guesses.addressWaitSeconds(guesser), 60)
  guesses.takeBack(from('192.0.2.1', 'CP1 0'))
  assert.equal(guesses.addressWaitSeconds(guesser), null, 'of its address')
})

/** With these credentials. */
function keyed(authorization: string, of = guesser) {
  return { ...of, env: { ...of.env, headers: { ...of.env.headers, authorization } } }
}

test('attempts that the app has not judged yet count as wrong ones until it has', () => {
  const { guesses } = setUp()
  const ends = Array.from({ length: 5 }, (_, at) => {
    assert.equal(guesses.waitSeconds(keyed(`guess ${at}`)), null)
    return guesses.begin(keyed(`guess ${at}`))
  })
  assert.equal(guesses.waitSeconds(keyed('one more')), 1)
  assert.equal(guesses.waitSeconds(keyed('one more', from('192.0.2.1', 'CP2'))), null, 'another station')
  assert.equal(guesses.waitSeconds(keyed('one more', from('192.0.2.2'))), null, 'another address')
  const [first] = ends
  first?.()
  first?.()
  assert.equal(guesses.waitSeconds(keyed('one more')), null)
  guesses.add(guesser)
  assert.equal(guesses.waitSeconds(keyed('one more')), 1, 'a wrong one and those pending add up')
  for (const end of ends) end()
  assert.equal(guesses.waitSeconds(keyed('one more')), null)
})

test('the same credentials at once are one attempt, which does not wait for itself', () => {
  const { guesses } = setUp()
  const ends = Array.from({ length: 20 }, () => guesses.begin(keyed('mine')))
  for (let at = 0; at < 3; at++) guesses.begin(keyed(`guess ${at}`))
  assert.equal(guesses.waitSeconds(keyed('mine')), null)
  assert.equal(guesses.waitSeconds(keyed('one more')), null)
  const end = guesses.begin(keyed('guess 4'))
  assert.equal(guesses.waitSeconds(keyed('one more')), 1)
  assert.equal(guesses.waitSeconds(keyed('mine')), null, 'four others')
  end()
  for (const each of ends.slice(1)) each()
  guesses.add(guesser)
  assert.equal(guesses.waitSeconds(keyed('one more')), 1, 'one of the same is left')
  ends[0]?.()
  assert.equal(guesses.waitSeconds(keyed('one more')), null)
})

test('attempts for stations that do not exist count for their address only', () => {
  const { guesses } = setUp()
  for (let at = 0; at < 9_999; at++) guesses.addUnknown(guesser)
  assert.equal(guesses.waitSeconds(guesser), null)
  guesses.addUnknown(guesser)
  assert.equal(guesses.waitSeconds(guesser), 60)
  assert.equal(guesses.waitSeconds(from('192.0.2.2')), null)
})

test('100,000 failures and addresses that failed are remembered, then the oldest is forgotten', () => {
  const { meter, guesses } = setUp()
  const at = (number: number) => from(`192.0.${number >> 8}.${number & 255}`, `CP${number}`)
  const evicted = (kind: string) => meter.total('ocpp_evicted_total', { kind })
  for (let attempt = 0; attempt < 5; attempt++) guesses.add(at(0))
  for (let number = 1; number < 100_000; number++) guesses.add(at(number))
  assert.equal(guesses.waitSeconds(at(0)), 1)
  assert.deepEqual([evicted('guesses'), evicted('guessers')], [0, 0])
  guesses.add(at(100_000))
  assert.equal(guesses.waitSeconds(at(0)), null)
  assert.deepEqual([evicted('guesses'), evicted('guessers')], [1, 1])
})

/**
 * An attacker tries `attack` every 100 ms, the station its right key when it may or each 30 s; the wait ends when it
 * may attempt.
 */
function siege(attack: (at: number) => string, pauseSeconds: number | null, mostSeconds = 3_600) {
  const { clock, guesses } = setUp()
  const mine = keyed('mine')
  let admitted = 0
  let dueAt = 2_000
  for (; clock.now <= mostSeconds * 1_000; clock.now += 100) {
    const guess = keyed(attack(clock.now / 100))
    if (guesses.waitSeconds(guess) === null) {
      guesses.add(guess)
      admitted++
    }
    if (clock.now < dueAt) continue
    const seconds = guesses.waitSeconds(mine)
    if (seconds === null) return { seconds: clock.now / 1_000, admitted }
    dueAt += (pauseSeconds ?? seconds) * 1_000
  }
  return { seconds: Infinity, admitted }
}

const pool = (size: number) => (at: number) => `Basic guess ${at % size}`
const fresh = (at: number): string => `Basic guess ${at}`
const sieges: readonly (readonly [
  title: string,
  attack: (at: number) => string,
  pauseSeconds: number | null,
  withinSeconds: number,
])[] = [
  ['ten new keys a second, and the station keeps to Retry-After', fresh, null, 20],
  ['ten new keys a second, and the station is back each 30 s', fresh, 30, 100],
  ['50 keys again and again, and the station keeps to Retry-After', pool(50), null, 4 * 51 * 5],
  ['50 keys again and again, and the station is back each 30 s', pool(50), 30, 4 * 51 * 5],
  ['1,000 keys again and again, and the station keeps to Retry-After', pool(1_000), null, 4 * 257 * 5],
]
for (const [title, attack, pauseSeconds, withinSeconds] of sieges) {
  test(`a station comes in although its neighbour tries ${title}`, () => {
    const { seconds } = siege(attack, pauseSeconds)
    assert.ok(seconds <= withinSeconds, `after ${seconds} s`)
  })
}

for (const [title, attack] of [
  ['new', fresh],
  ['repeated', pool(50)],
] as const) {
  test(`36,000 ${title} keys in an hour make at most 730 attempts`, () => {
    const { admitted } = siege(attack, Infinity)
    // The free ones, one in 1 s, 2 s and 4 s, and one in each 5 s.
    assert.ok(admitted > 100 && admitted <= 730, `${admitted} attempts`)
  })
}
