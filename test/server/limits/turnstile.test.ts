/**
 * The turnstile: which work runs in which turn of the event loop. Upgrades stand for all work; each advances a fake
 * clock.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { atTurnEnd } from '../../../src/ops/event-loop/turn-end.ts'
import { Turnstile } from '../../../src/server/limits/turnstile.ts'

/** An upgrade by name, which takes some ms. */
function open() {
  let now = 1_000
  const inside: string[] = []
  const turnstile = new Turnstile(() => now)
  const enter = (name: string, ms = 0): void =>
    turnstile.enter(() => {
      inside.push(name)
      now += ms
    })
  return { turnstile, inside, enter, pass: (ms: number) => (now += ms) }
}

/** [the duration of each upgrade in ms, the number of finished upgrades after each turn, because] */
const lines: readonly (readonly [readonly number[], readonly number[], string])[] = [
  [[0.1], [1], 'a single upgrade runs at once'],
  [[0.05, 0.05, 0.05], [3], 'upgrades that fit into one turn run at once'],
  [[0.125, 0.125, 0.125, 0.125, 0.125], [2, 4, 5], 'the rest runs in later turns'],
  [[0.0625, 0.0625, 0.0625, 0.0625, 0.0625], [4, 5], 'more upgrades fit into a turn if each takes less time'],
  [[9, 9, 9], [1, 2, 3], 'at least one upgrade runs per turn, however long it takes'],
  [[0.2, 9, 1], [2, 3], 'the last upgrade of a turn may exceed its limit'],
  [[9, 0.125, 0.125, 9, 0.125], [1, 3, 4, 5], 'time above the limit does not count against the next turn'],
]
for (const [each, turns, because] of lines) {
  test(`upgrades of ${each.join(', ')} ms finish in turns of ${turns.join(', ')}: ${because}`, async () => {
    const { inside, enter } = open()
    const names = each.map((_, at) => `${at}`)
    each.forEach((ms, at) => enter(`${at}`, ms))
    for (const count of turns) {
      assert.deepEqual(inside, names.slice(0, count))
      await setImmediate()
    }
    assert.equal(inside.length, each.length, 'none runs twice')
  })
}

test('a later upgrade queues behind pending ones, even in a turn with time left', async () => {
  const { inside, enter } = open()
  for (const name of ['a', 'b', 'c']) enter(name, 1)
  await setImmediate()
  enter('d', 1)
  assert.deepEqual(inside, ['a', 'b'])
  await setImmediate()
  await setImmediate()
  assert.deepEqual(inside, ['a', 'b', 'c', 'd'])
})

test('what a turn has to write leaves before the next upgrade', async () => {
  const { inside, enter } = open()
  for (let at = 0; at < 1_000; at++) enter(`${at}`, 1)
  await sleep(1) // The next line runs where timers do, before the end of a turn.
  const before = inside.length
  atTurnEnd(() => inside.push('write'))
  await setImmediate()
  assert.deepEqual(inside.slice(before), ['write', `${before}`])
})

test('time outside upgrades does not count against the limit', () => {
  const { inside, enter, pass } = open()
  enter('a', 0.1)
  pass(60)
  enter('b', 0.1)
  assert.deepEqual(inside, ['a', 'b'])
})

test('work that goes on after it returns has the rest of its turn to itself', async () => {
  const { turnstile, inside, enter } = open()
  enter('a')
  turnstile.enterAlone(() => inside.push('handshake'))
  enter('b')
  assert.deepEqual(inside, ['a', 'handshake'])
  await setImmediate()
  assert.deepEqual(inside, ['a', 'handshake', 'b'])
})

test('runAll runs all pending upgrades at once, and later ones are limited again', async () => {
  const { turnstile, inside, enter } = open()
  for (const name of ['a', 'b', 'c']) enter(name, 1)
  turnstile.runAll()
  assert.deepEqual(inside, ['a', 'b', 'c'])
  enter('d', 1)
  assert.deepEqual(inside, ['a', 'b', 'c'], 'that turn is long over')
  await setImmediate()
  assert.deepEqual(inside, ['a', 'b', 'c', 'd'])
})
