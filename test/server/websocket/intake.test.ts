/**
 * What comes in on one socket, with a clock of the test's and a turnstile whose turns the test ends.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { Budget } from '../../../src/ops/limits/budget.ts'
import { Turnstile, turnMs, type Turns } from '../../../src/server/limits/turnstile.ts'
import { Intake, rateOf } from '../../../src/server/websocket/intake.ts'
import { socketLimits } from '../../support/limits.ts'
import { holdTurns } from '../../support/turns.ts'

const KiB = 1024

function open(t: TestContext, settings = {}, turns?: Turns, costMs = 0) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let now = 0
  const clock = { pass: (ms: number) => (now += ms) }
  const turnstile = turns ?? new Turnstile(() => now)
  const received: string[] = []
  const limits: string[] = []
  const flow = {
    isPaused: false,
    pause: () => (flow.isPaused = true),
    resume: () => (flow.isPaused = false),
  }
  const end = {
    receive: (text: string) => {
      received.push(text)
      now += costMs
    },
    exceeded: (limit: string) => limits.push(limit),
    slowed: () => limits.push('slowed'),
  }
  const all = { ...socketLimits, maxMessageSize: 64 * KiB, frameRate: 100, unacceptedFrameRate: 10, ...settings }
  const intake = new Intake(flow, all, end, turnstile, () => now)
  const says = (count: number, bytes = 1) => {
    for (let at = 0; at < count; at++) intake.onMessage(`${at}`, bytes)
  }
  const wait = (ms: number): void => {
    clock.pass(ms)
    t.mock.timers.tick(ms)
  }
  const accept = (budget = new Budget(rateOf(all.frameRate), now)): void => intake.accept(budget)
  return { intake, accept, flow, received, limits, says, wait }
}

test('a message of an accepted station is handed on at once', t => {
  const { accept, received, says } = open(t)
  accept()
  says(3)
  assert.deepEqual(received, ['0', '1', '2'])
})

test('messages of stations that are not accepted share the time of a turn, in turns', async t => {
  const turnstile = new Turnstile(() => now)
  let now = 0
  const order: string[] = []
  const strangers = ['a', 'b'].map(name => {
    const end = {
      receive: (text: string) => {
        order.push(name + text)
        now += turnMs / 2
      },
      exceeded: () => undefined,
      slowed: () => undefined,
    }
    const flow = { isPaused: false, pause: () => undefined, resume: () => undefined }
    return new Intake(flow, { ...socketLimits, maxMessageSize: 64 * KiB }, end, turnstile, () => now)
  })
  t.after(() => strangers.forEach(intake => intake.end()))
  const [a, b] = strangers
  for (let at = 0; at < 4; at++) a?.onMessage(`${at}`, 1)
  for (let at = 0; at < 2; at++) b?.onMessage(`${at}`, 1)
  assert.deepEqual(order, ['a0', 'a1'], 'two messages fill the time of a turn')
  for (let turns = 0; turns < 6; turns++) await setImmediate()
  assert.deepEqual(order, ['a0', 'a1', 'a2', 'b0', 'a3', 'b1'])
})

test('a station that is accepted gets what waits for its turn, in order', t => {
  const { accept, received, says } = open(t, {}, undefined, 5)
  says(4)
  assert.ok(received.length < 4)
  accept()
  assert.deepEqual(received, ['0', '1', '2', '3'])
})

test('an accepted station beyond its budget is paused until it refills, and loses nothing', t => {
  const { accept, flow, limits, received, says, wait } = open(t)
  accept()
  says(500)
  assert.equal(flow.isPaused, false)
  says(100)
  assert.deepEqual([flow.isPaused, received.length, limits], [true, 600, ['slowed']])
  wait(999)
  assert.equal(flow.isPaused, true)
  wait(1)
  assert.equal(flow.isPaused, false)
})

test('an accepted station is never closed for the number of its frames', t => {
  const { accept, limits, says } = open(t)
  accept()
  says(10_000)
  assert.deepEqual(limits, ['slowed'])
})

test('a KiB costs as much as a frame, and the largest message no more than the burst', t => {
  const { accept, flow, says, wait } = open(t)
  accept()
  says(1, 500 * KiB)
  assert.equal(flow.isPaused, false)
  says(1)
  assert.equal(flow.isPaused, true)
  wait(6_000)
  says(1, 100_000 * KiB)
  assert.equal(flow.isPaused, false)
})

for (const [frame, send] of [
  ['control frames', (intake: Intake) => void intake.onFrame(0)],
  ['messages', (intake: Intake) => intake.onMessage('', 0)],
] as const) {
  test(`a flood of ${frame} before the app accepts the station is paused, then ends the connection`, t => {
    const { intake, flow, limits } = open(t)
    for (let count = 0; count < 50; count++) send(intake)
    assert.deepEqual([flow.isPaused, limits], [false, []])
    for (let count = 0; count < 1_000; count++) send(intake)
    assert.deepEqual([flow.isPaused, limits], [true, ['slowed']])
    send(intake)
    assert.deepEqual(limits, ['slowed', 'flood'])
  })
}

test('the socket is paused beyond 1 MiB of held messages, each counting 100 bytes more', t => {
  const { intake, accept, flow, says } = open(t, { frameRate: 1_000 })
  accept()
  intake.hold()
  says(16, 64 * KiB - 100)
  assert.equal(flow.isPaused, false)
  says(1)
  assert.equal(flow.isPaused, true)
})

test('the end of a connection waits for the messages before it', t => {
  const { intake, accept, received, says } = open(t)
  accept()
  intake.hold()
  says(2)
  const events: string[] = []
  intake.whenEmpty(() => events.push(`gone after ${received.length}`))
  assert.deepEqual(events, [])
  intake.release()
  assert.deepEqual(events, ['gone after 2'])
})

test('the end of a connection that is not accepted waits for its turn', t => {
  const { turnstile, waiting } = holdTurns()
  const { intake } = open(t, {}, turnstile)
  const events: string[] = []
  intake.whenEmpty(() => events.push('gone'))
  assert.deepEqual(events, [])
  for (const work of waiting) work()
  assert.deepEqual(events, ['gone'])
})

test('nothing is handed on after the end', t => {
  const { intake, accept, received, says } = open(t)
  accept()
  intake.hold()
  says(2)
  intake.end()
  says(2)
  intake.release()
  assert.deepEqual(received, [])
})
