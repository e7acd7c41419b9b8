/**
 * The turnstile: who is let in in which turn of the event loop, by a clock that moves as they are.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { Turnstile } from '../../src/server/turnstile.ts'

/** Lets somebody in by name; each takes so many ms, and may be gone by then. */
function open() {
  let now = 1_000
  const inside: string[] = []
  const turnstile = new Turnstile(() => now)
  const enter = (name: string, ms = 0): { destroyed: boolean } => {
    const stream = { destroyed: false }
    const letIn = (): void => {
      inside.push(name)
      now += ms
    }
    turnstile.enter({ stream, letIn })
    return stream
  }
  return { turnstile, inside, enter, pass: (ms: number) => (now += ms) }
}

/** [what each takes in ms, who is in after each turn, because] */
const lines: readonly (readonly [readonly number[], readonly number[], string])[] = [
  [[1], [1], 'one alone waits for nothing'],
  [[0.3, 0.3, 0.3], [3], 'nor do some that fit into a turn'],
  [[1, 1, 1, 1, 1], [2, 4, 5], 'as many as fit, and the rest by turns'],
  [[0.5, 0.5, 0.5, 0.5, 0.5], [4, 5], 'more of them where each takes less'],
  [[9, 9, 9], [1, 2, 3], 'one a turn, however long it takes'],
  [[1.9, 9, 1], [2, 3], 'the last of a turn may take longer than is left of it'],
  [[9, 1, 1, 9, 1], [1, 3, 4, 5], 'a turn does not pay for the one before'],
]
for (const [each, turns, because] of lines) {
  test(`those who take ${each.join(', ')} ms are in by turns, ${turns.join(', ')}: ${because}`, async () => {
    const { inside, enter } = open()
    const names = each.map((_, at) => `${at}`)
    each.forEach((ms, at) => enter(`${at}`, ms))
    for (const count of turns) {
      assert.deepEqual(inside, names.slice(0, count))
      await setImmediate()
    }
    assert.equal(inside.length, each.length, 'nobody is let in twice')
  })
}

test('who comes later stands behind those who wait, also in a turn that has time left', async () => {
  const { inside, enter } = open()
  for (const name of ['a', 'b', 'c']) enter(name, 2)
  await setImmediate()
  enter('d', 2)
  assert.deepEqual(inside, ['a', 'b'])
  await setImmediate()
  await setImmediate()
  assert.deepEqual(inside, ['a', 'b', 'c', 'd'])
})

test("time in which nobody is let in is nobody's", () => {
  const { inside, enter, pass } = open()
  enter('a', 1)
  pass(60)
  enter('b', 1)
  assert.deepEqual(inside, ['a', 'b'])
})

test("one that is gone by its turn is passed over, and takes nobody's place", async () => {
  const { inside, enter } = open()
  const [, b, , d] = ['a', 'b', 'c', 'd', 'e'].map(name => enter(name, 2))
  for (const gone of [b, d]) if (gone !== undefined) gone.destroyed = true
  await setImmediate()
  assert.deepEqual(inside, ['a', 'c'])
  await setImmediate()
  assert.deepEqual(inside, ['a', 'c', 'e'])
})

test('all who wait can be let in at once, and later ones come in as before', async () => {
  const { turnstile, inside, enter } = open()
  for (const name of ['a', 'b', 'c']) enter(name, 2)
  turnstile.letAllIn()
  assert.deepEqual(inside, ['a', 'b', 'c'])
  enter('d', 2)
  assert.deepEqual(inside, ['a', 'b', 'c'], 'that turn is long over')
  await setImmediate()
  assert.deepEqual(inside, ['a', 'b', 'c', 'd'])
})
