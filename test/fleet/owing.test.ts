import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Owing } from '../../src/fleet/owing.ts'
import type { Tracked } from '../../src/session/transactions/digest.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { closedOver, type Cause } from '../../src/translate/unanswered.ts'
import { FakeRpc } from '../support/fakes.ts'

const minute = 60_000

const messageOf = (stationId: string, key = 'Stop-1'): Tracked => ({
  stationId: stationId as StationId,
  key,
  content: key,
  transaction: null,
  of: null,
  ended: null,
})

/** Stations that owe messages; the time and the app are what a test says. */
class Bench {
  nowMs = 1_000
  draw = 0
  readonly rpc = new FakeRpc()
  readonly warned: string[] = []
  readonly owing: Owing

  constructor() {
    this.owing = new Owing({
      rpc: this.rpc,
      now: () => this.nowMs,
      random: () => this.draw,
      once: (_key, _fields, _message, detail = '') => this.warned.push(detail) > 0,
    })
  }

  close(stationId: string, cause: Cause = 'away', key = 'Stop-1'): void {
    this.owing.onClosed(messageOf(stationId, key), cause)
  }

  /** Whether a station may come in. */
  letsIn(stationId: string): boolean {
    return this.owing.waitSeconds(stationId as StationId) === null
  }

  owes(stationId: string): boolean {
    return this.owing.owes(stationId as StationId)
  }

  reply(): void {
    this.rpc.presence = { isAway: false, repliedAt: ++this.nowMs }
  }
}

test('a station that owes nothing is let in while the app is away', () => {
  const bench = new Bench()
  bench.close('CP1')
  assert.deepEqual([bench.letsIn('CP1'), bench.letsIn('CP2')], [false, true])
})

test('a peer with other credentials does not keep a station out', () => {
  const bench = new Bench()
  bench.owing.onClosed(messageOf('CP1'), 'away', 'wrong')
  const waits = ['wrong', 'right'].map(digest => bench.owing.waitSeconds('CP1' as StationId, digest) !== null)
  assert.deepEqual(waits, [true, false])
})

test('stations that owe a message wait outside until the app has replied to anybody since', () => {
  const bench = new Bench()
  bench.reply()
  for (const stationId of ['CP1', 'CP2']) bench.close(stationId)
  bench.nowMs += minute
  assert.deepEqual([bench.letsIn('CP1'), bench.letsIn('CP2')], [false, false])
  bench.reply()
  assert.deepEqual([bench.letsIn('CP1'), bench.letsIn('CP2')], [true, true])
})

test('a reply in the same ms ends the wait outside when it comes after the close', () => {
  const bench = new Bench()
  bench.close('CP1')
  bench.rpc.presence.repliedAt = bench.nowMs
  assert.equal(bench.letsIn('CP1'), true)
})

test('a station waits outside after Connect has raised until the app has accepted any station, whatever else it replies', () => {
  const bench = new Bench()
  bench.owing.onAccepted()
  bench.close('CP1', 'unattached')
  bench.nowMs += minute
  bench.reply()
  assert.equal(bench.letsIn('CP1'), false)
  bench.owing.onAccepted()
  assert.equal(bench.letsIn('CP1'), true)
})

test('a station for which Connect raises again waits outside longer each time, though the app accepts others', () => {
  const bench = new Bench()
  const waits = Array.from({ length: 6 }, () => {
    bench.close('CP1', 'unattached')
    bench.owing.onAccepted()
    const from = bench.nowMs
    const retryAfter = bench.owing.waitSeconds('CP1' as StationId)
    while (!bench.letsIn('CP1')) bench.nowMs += 1_000
    return [retryAfter, (bench.nowMs - from) / 1_000]
  })
  assert.deepEqual(waits, [[null, 0], [60, 60], [120, 120], [240, 240], [300, 300], [300, 300]]) // prettier-ignore
  bench.owing.onAnswered(messageOf('CP1'))
  bench.close('CP1', 'unattached')
  bench.owing.onAccepted()
  assert.equal(bench.letsIn('CP1'), true, 'an answered message ends the row')
})

test('a station that owes a message waits outside for an hour when the app is known to be away', () => {
  const bench = new Bench()
  bench.close('CP1')
  bench.rpc.presence.isAway = true
  bench.nowMs += 59 * minute
  assert.equal(bench.letsIn('CP1'), false)
  bench.rpc.presence.isAway = false
  assert.equal(bench.letsIn('CP1'), true)
})

test('a station that owes a message waits outside while more calls wait for the app than it may have', () => {
  const bench = new Bench()
  bench.close('CP1')
  bench.reply()
  bench.rpc.pending = bench.rpc.capacity
  assert.equal(bench.letsIn('CP1'), false)
  bench.rpc.pending--
  assert.equal(bench.letsIn('CP1'), true)
})

for (const [cause, { waitsOutside }] of Object.entries(closedOver)) {
  test(`a station ${waitsOutside === false ? 'is let in' : 'waits outside'} after a close for the cause ${cause}`, () => {
    const bench = new Bench()
    bench.close('CP1', cause as Cause)
    assert.equal(bench.letsIn('CP1'), waitsOutside === false)
  })
}

test('the bridge looks whether the app is back for a station that waits outside, as nobody else may', () => {
  const bench = new Bench()
  bench.close('CP1')
  bench.letsIn('CP1')
  assert.equal(bench.rpc.checks, 0, 'an app that hangs would look as if it were back')
  bench.rpc.presence.isAway = true
  bench.letsIn('CP1')
  bench.letsIn('CP2')
  assert.equal(bench.rpc.checks, 1)
})

for (const cause of ['away', 'unattached'] as const) {
  test(`stations are let in after five to ten minutes at the latest, at different times, after a close for the cause ${cause}`, () => {
    const bench = new Bench()
    for (const draw of [0, 0.5, 0.999]) {
      bench.draw = draw
      bench.close(`CP ${draw}`, cause)
    }
    const inAfter = (minutes: number): boolean[] => {
      bench.nowMs = 1_000 + minutes * minute
      return [0, 0.5, 0.999].map(draw => bench.letsIn(`CP ${draw}`))
    }
    assert.deepEqual(inAfter(4.9), [false, false, false])
    assert.deepEqual(inAfter(5.1), [false, false, true])
    assert.deepEqual(inAfter(7.6), [false, true, true])
    assert.deepEqual(inAfter(10), [true, true, true])
  })
}

test('the Retry-After has jitter, and grows with the number of stations that wait', () => {
  const bench = new Bench()
  bench.close('CP1')
  const seconds = (): number | null => bench.owing.waitSeconds('CP1' as StationId)
  assert.equal(seconds(), 10)
  bench.draw = 0.999
  assert.equal(seconds(), 15)
  bench.draw = 0
  for (let at = 0; at < 9_999; at++) bench.close(`X${at}`)
  assert.equal(seconds(), 200)
})

test('closes over a message are counted by its content where the cause lies in the message', () => {
  const bench = new Bench()
  for (const [cause, key] of [['raised', 'A'], ['refused', 'A'], ['away', 'A'], ['raised', 'B']] as const) bench.close('CP1', cause, key) // prettier-ignore
  bench.close('CP2', 'raised', 'A')
  const counts = (['CP1', 'CP2'] as const).map(id => ['A', 'B'].map(key => bench.owing.closesOf(messageOf(id, key))))
  assert.deepEqual(counts, [[2, 1], [1, 0]]) // prettier-ignore
})

test('closes over a message are counted by its content when its key changes with each retry', () => {
  const bench = new Bench()
  for (const key of ['A', 'B', 'C']) bench.owing.onClosed({ ...messageOf('CP1', key), content: 'same' }, 'raised')
  assert.equal(bench.owing.closesOf({ ...messageOf('CP1', 'D'), content: 'same' }), 3)
})

test('an answered message is no longer owed, and one that raised stays counted beside it', () => {
  const bench = new Bench()
  bench.close('CP1', 'raised', 'A')
  bench.close('CP1', 'away', 'B')
  bench.owing.onAnswered(messageOf('CP1', 'B'))
  assert.deepEqual([bench.letsIn('CP1'), bench.owes('CP1')], [true, true])
  assert.equal(bench.owing.closesOf(messageOf('CP1', 'A')), 1)
  bench.owing.onAnswered(messageOf('CP1', 'A'))
  assert.equal(bench.owes('CP1'), false)
})

test('a debt is forgotten after an hour', () => {
  const bench = new Bench()
  bench.close('CP1', 'raised')
  bench.nowMs += 60 * minute - 1
  assert.equal(bench.owes('CP1'), true)
  bench.nowMs++
  assert.equal(bench.owes('CP1'), false)
  assert.equal(bench.owing.closesOf(messageOf('CP1')), 0)
})

test('the oldest debt is evicted when 100,000 stations owe one', () => {
  const bench = new Bench()
  for (let at = 0; at <= 100_000; at++) bench.close(`CP${at}`)
  assert.deepEqual(['CP0', 'CP1', 'CP100000'].map(stationId => bench.owes(stationId)), [false, true, true]) // prettier-ignore
})

test('the stations are named that have not asked to connect for ten minutes after their close', () => {
  const bench = new Bench()
  for (const stationId of ['CP1', 'CP2', 'CP3']) bench.close(stationId)
  bench.letsIn('CP2')
  bench.nowMs += 10 * minute - 1
  bench.owing.warnOfGone()
  assert.deepEqual(bench.warned, [])
  bench.nowMs++
  bench.close('CP4')
  bench.owing.warnOfGone()
  bench.owing.warnOfGone()
  assert.deepEqual(bench.warned, ['CP1', 'CP3'])
})

test('the shortest time after which a station sent a message again is remembered, for each station', () => {
  const bench = new Bench()
  for (const ms of [8_000, 5_000, 9_000]) bench.owing.onResent('CP1' as StationId, ms)
  const known = ['CP1', 'CP2'].map(stationId => bench.owing.patienceMs(stationId as StationId))
  assert.deepEqual(known, [5_000, Infinity])
})
