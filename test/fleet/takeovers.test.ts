import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Takeovers } from '../../src/fleet/takeovers.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { quiet } from '../support/fakes.ts'

const one = 'CP1' as StationId
const other = 'CP2' as StationId

/** Takeovers with a clock that the test moves, and the delays that have ended. */
function setUp(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 0 })
  const takeovers = new Takeovers()
  const ended: string[] = []
  const add = (stationId: StationId, count: number): void => {
    for (let made = 0; made < count; made++) takeovers.add(stationId, Date.now())
  }
  const delay = (stationId: StationId, name: string): object => {
    const connection = { name }
    void takeovers.delay(stationId, connection, Date.now()).then(() => ended.push(name))
    return connection
  }
  const pass = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms)
    await quiet()
  }
  return { takeovers, ended, add, delay, pass }
}

const delays: readonly (readonly [takeovers: number, ms: number, because: string])[] = [
  [0, 0, 'no takeover'],
  [1, 0, 'a station that reconnects once'],
  [2, 5_000, 'the third takeover within a minute'],
  [3, 10_000, 'the delay doubles'],
  [4, 20_000, 'the delay doubles again'],
  [9, 20_000, 'the delay has a limit'],
]
for (const [count, ms, because] of delays) {
  test(`the next takeover is delayed by ${ms} ms after ${count} within a minute: ${because}`, async t => {
    const { takeovers, ended, add, delay, pass } = setUp(t)
    add(one, count)
    assert.equal(takeovers.isFlapping(one, Date.now()), ms > 0)
    if (ms === 0) return
    delay(one, 'a')
    await pass(ms - 1)
    assert.deepEqual(ended, [])
    await pass(1)
    assert.deepEqual(ended, ['a'])
  })
}

test('a delay counts from the last takeover: a connection that comes later waits for the rest only', async t => {
  const { takeovers, ended, add, delay, pass } = setUp(t)
  add(one, 3)
  await pass(4_000)
  assert.equal(takeovers.waitMs(one, Date.now()), 6_000)
  delay(one, 'a')
  await pass(5_000)
  delay(one, 'b')
  await pass(1_000)
  assert.deepEqual(ended, ['a', 'b'])
  assert.equal(takeovers.waitMs(one, Date.now()), 0)
})

test('a station no longer flaps when its takeovers are a minute old', async t => {
  const { takeovers, add, pass } = setUp(t)
  add(one, 2)
  await pass(59_999)
  assert.equal(takeovers.isFlapping(one, Date.now()), true)
  await pass(1)
  assert.equal(takeovers.isFlapping(one, Date.now()), false)
})

test('a station does not flap when another one does', t => {
  const { takeovers, add } = setUp(t)
  add(one, 5)
  assert.equal(takeovers.isFlapping(other, Date.now()), false)
})

test('endWaits ends the delay of one connection, or of all connections of a station', async t => {
  const { takeovers, ended, add, delay, pass } = setUp(t)
  for (const stationId of [one, other]) add(stationId, 2)
  const first = delay(one, 'first')
  delay(one, 'second')
  delay(other, 'other')
  takeovers.endWaits(one, first)
  await pass(0)
  assert.deepEqual(ended, ['first'])
  takeovers.endWaits(one)
  await pass(0)
  assert.deepEqual(ended, ['first', 'second'])
})

test('endAllWaits ends the delays of all stations', async t => {
  const { takeovers, ended, add, delay, pass } = setUp(t)
  for (const stationId of [one, other]) {
    add(stationId, 2)
    delay(stationId, stationId)
  }
  takeovers.endAllWaits()
  await pass(0)
  assert.deepEqual(ended, ['CP1', 'CP2'])
})

test('only the stations with the latest takeovers are watched', t => {
  const { takeovers, add } = setUp(t)
  add(one, 2)
  for (let at = 0; at < 10_000; at++) add(`S${at}` as StationId, 2)
  assert.equal(takeovers.isFlapping(one, Date.now()), false)
  assert.equal(takeovers.isFlapping('S9999' as StationId, Date.now()), true)
})
