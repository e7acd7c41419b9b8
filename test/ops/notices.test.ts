import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Notices } from '../../src/ops/notices.ts'
import { Clock } from '../support/clock.ts'
import { FakeLog } from '../support/fakes.ts'

const minute = 60_000

function setUp(t: TestContext) {
  const clock = new Clock(t)
  const log = new FakeLog()
  const notices = new Notices(log)
  /** @returns whether it was logged */
  const once = (key: string, detail = ''): boolean => notices.once(key, { detail }, `${key} failed`, detail)
  return { clock, log, once }
}

test('a problem is logged as a warning with its fields', t => {
  const { log, once } = setUp(t)
  assert.equal(once('nats', 'ECONNREFUSED'), true)
  assert.deepEqual(log.lines, [{ level: 'warn', fields: { detail: 'ECONNREFUSED' }, message: 'nats failed' }])
})

test('the same problem is logged again after ten minutes, and not before', t => {
  const { clock, log, once } = setUp(t)
  once('a')
  clock.tick(10 * minute - 1)
  assert.equal(once('a'), false)
  clock.tick(1)
  assert.equal(once('a'), true)
  assert.equal(once('a'), false)
  assert.equal(log.lines.length, 2)
})

test('the ten minutes do not depend on the wall clock', t => {
  const { clock, once } = setUp(t)
  once('a')
  clock.setWallClock(60 * minute)
  assert.equal(once('a'), false, 'set forward')
  clock.setWallClock(-120 * minute)
  clock.tick(10 * minute)
  assert.equal(once('a'), true, 'set back')
})

test('different keys are logged apart', t => {
  const { once } = setUp(t)
  assert.deepEqual(
    ['a', 'b', 'a'].map(key => once(key)),
    [true, true, false],
  )
})

test('different details of one key are logged apart, each once', t => {
  const { once } = setUp(t)
  assert.deepEqual(
    ['x', 'y', 'x', 'y', ''].map(detail => once('a', detail)),
    [true, true, false, false, true],
  )
})

test('at most ten details of one key are logged in ten minutes', t => {
  const { clock, log, once } = setUp(t)
  for (let at = 0; at < 100; at++) {
    once('raised StartTransaction', `no method for #<Station ${at}>`)
    clock.tick(1_000)
  }
  assert.equal(log.lines.length, 10)
  assert.equal(once('raised Authorize', 'another action'), true, 'the limit is of one key')
  clock.tick(10 * minute - 100_000 - 1)
  assert.equal(once('raised StartTransaction', 'new'), false)
  clock.tick(1)
  assert.equal(once('raised StartTransaction', 'new'), true, 'ten minutes after the first of the ten')
})

test('a flood of keys evicts the oldest ones', t => {
  const { log, once } = setUp(t)
  for (let at = 0; at < 100_000; at++) once(`refused 10.0.0.${at}`)
  const written = log.lines.length
  assert.equal(written, 100_000)
  assert.equal(once('refused 10.0.0.99999'), false, 'the latest key is remembered')
  assert.equal(once('refused 10.0.0.0'), true, 'the oldest one is not')
})

test('fields that take long to find are not looked for when the warning is not logged', () => {
  let found = 0
  const notices = new Notices(new FakeLog())
  for (let n = 0; n < 3; n++) notices.once('k', () => ({ found: ++found }), 'm')
  assert.equal(found, 1)
})
