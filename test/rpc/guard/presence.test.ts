import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { RpcError } from '../../../src/cable/rpc.ts'
import { Presence } from '../../../src/rpc/guard/presence.ts'
import { Clock } from '../../support/clock.ts'
import { FakeLog } from '../../support/fakes.ts'

const absent = new RpcError('unavailable', 'notRun', 'connect ECONNREFUSED')
const slow = new RpcError('timeout', 'unknown', 'Deadline exceeded')
const full = new RpcError('exhausted', 'notRun', 'No free threads in thread pool')
const late = new RpcError('timeout', 'notRun', 'pending for too long')
const wrongKey = new RpcError('application', 'notRun', 'HTTP status 401: Unauthorized; set http_rpc_secret')

const gone = 'the app does not answer at app:50051: start it with `bundle exec anycable`, or set --rpc_host'
const back = 'the app answers at app:50051'
const hung = 'the app does not reply in time at app:50051: is it hung, or overloaded?'
const partly =
  'the app does not reply in time at app:50051: it answers other calls: is one action slow, or one app of several hung?'
const crowded = "calls to the app are pending for too long: raise rpc_concurrency and the app's pool, or add an app"
const refusing =
  'the app refuses calls, its pool is full: give it more threads (rpc_pool_size), lower rpc_concurrency, or add an app'

function setUp(t: TestContext, commandTimeoutMs = 3_000) {
  const clock = new Clock(t)
  const log = new FakeLog()
  const presence = new Presence({ host: 'app:50051', commandTimeoutMs }, log)
  const lines = () => log.lines.map(({ level, message }) => `${level} ${message}`)
  return { clock, presence, lines }
}

function repeat(times: number, act: () => void): void {
  for (let time = 0; time < times; time++) act()
}

test('an absence is logged once, and the return once, for however many calls', t => {
  const { clock, presence, lines } = setUp(t)
  presence.onReply()
  assert.deepEqual(lines(), [])
  repeat(20, () => presence.onUnreachable(absent))
  assert.deepEqual(lines(), [`warn ${gone}`])
  repeat(20, () => presence.onReply())
  clock.tick(60_000)
  repeat(20, () => presence.onUnreachable(absent))
  repeat(20, () => presence.onReply())
  assert.deepEqual(lines(), [`warn ${gone}`, `info ${back}`, `warn ${gone}`, `info ${back}`])
})

test('an absence is logged once a minute when the app comes and goes, and the return as often', t => {
  const { clock, presence, lines } = setUp(t)
  for (let second = 0; second < 120; second++) {
    if (second % 2 === 0) presence.onUnreachable(absent)
    else presence.onReply()
    clock.tick(1_000)
  }
  assert.deepEqual(lines(), [`warn ${gone}`, `info ${back}`, `warn ${gone}`, `info ${back}`])
})

test('an absence that came too soon after another is logged when it lasts', t => {
  const { clock, presence, lines } = setUp(t)
  presence.onUnreachable(absent)
  presence.onReply()
  presence.onUnreachable(absent)
  assert.equal(lines().length, 2)
  clock.tick(60_000)
  repeat(2, () => presence.onUnreachable(absent))
  assert.deepEqual(lines().slice(2), [`warn ${gone}`])
})

test('an absence is logged after a minute when the wall clock is set back', t => {
  const { clock, presence, lines } = setUp(t)
  presence.onUnreachable(absent)
  presence.onReply()
  clock.setWallClock(-3_600_000)
  clock.tick(60_000)
  presence.onUnreachable(absent)
  assert.deepEqual(lines(), [`warn ${gone}`, `info ${back}`, `warn ${gone}`])
})

test('the remedy is the one of the answer when somebody refuses the call', t => {
  const { presence, lines } = setUp(t)
  presence.onUnreachable(wrongKey)
  assert.deepEqual(lines(), [
    'warn the app does not answer at app:50051: HTTP status 401: Unauthorized; set http_rpc_secret',
  ])
})

test('isLongAbsent is true when the app has been away for a whole budget, until it replies', t => {
  const { clock, presence } = setUp(t)
  presence.onUnreachable(absent)
  clock.tick(2_999)
  presence.onUnreachable(absent)
  assert.equal(presence.isLongAbsent, false)
  clock.tick(1)
  assert.equal(presence.isLongAbsent, true)
  presence.onReply()
  assert.equal(presence.isLongAbsent, false)
})

test('isInDoubt is true when the app is away or silent, until it replies', t => {
  const { presence } = setUp(t)
  assert.equal(presence.isInDoubt, false)
  for (const doubt of [() => presence.onUnreachable(absent), () => presence.onTimeout(slow)]) {
    doubt()
    assert.equal(presence.isInDoubt, true)
    presence.onReply()
    assert.equal(presence.isInDoubt, false)
  }
})

test('isLongAbsent is false when a call was sent, even without a reply', t => {
  const { clock, presence } = setUp(t)
  presence.onUnreachable(absent)
  clock.tick(3_000)
  presence.onTimeout(slow)
  assert.equal(presence.isLongAbsent, false)
})

test('isLongAbsent follows the monotonic clock when the wall clock is changed', t => {
  const { clock, presence } = setUp(t)
  presence.onUnreachable(absent)
  clock.setWallClock(3_600_000)
  assert.equal(presence.isLongAbsent, false)
  clock.setWallClock(-7_200_000)
  clock.tick(3_000)
  assert.equal(presence.isLongAbsent, true)
})

test('one slow action among fast ones is logged once in ten minutes, and no return', t => {
  const { clock, presence, lines } = setUp(t)
  for (let minute = 0; minute < 20; minute++) {
    presence.onReply()
    repeat(20, () => presence.onTimeout(slow))
    presence.onReply()
    clock.tick(60_000)
  }
  assert.deepEqual(lines(), [`warn ${partly}`, `warn ${partly}`])
})

test('an app that replies to nobody is logged once, and its return once', t => {
  const { clock, presence, lines } = setUp(t)
  presence.onReply()
  clock.tick(3_000)
  repeat(20, () => presence.onTimeout(slow))
  repeat(20, () => presence.onReply())
  assert.deepEqual(lines(), [`warn ${hung}`, `info ${back}`])
})

test('calls pending for too long are logged once with the remedy when the app replies to others', t => {
  const { presence, lines } = setUp(t)
  presence.onReply()
  repeat(20, () => presence.onQueueTimeout(late))
  assert.deepEqual(lines(), [`warn ${crowded}`])
})

test('calls pending for too long are not logged when the app is away, or replies to nobody', t => {
  const { clock, presence, lines } = setUp(t)
  presence.onReply()
  clock.tick(1_500)
  presence.onQueueTimeout(late)
  assert.deepEqual(lines(), [])
  presence.onReply()
  presence.onUnreachable(absent)
  presence.onQueueTimeout(late)
  assert.deepEqual(lines(), [`warn ${gone}`])
})

test('refused calls are logged once with the remedy', t => {
  const { presence, lines } = setUp(t)
  repeat(2, () => presence.onRefused(full))
  assert.deepEqual(lines(), [`warn ${refusing}`])
})

test('the app is away from the first call that cannot be sent to the next reply', t => {
  const { presence } = setUp(t)
  assert.deepEqual([presence.isAway, presence.repliedAt], [false, -Infinity])
  presence.onUnreachable(absent)
  assert.equal(presence.isAway, true)
  presence.onReply()
  assert.deepEqual([presence.isAway, presence.repliedAt], [false, performance.now()])
})
