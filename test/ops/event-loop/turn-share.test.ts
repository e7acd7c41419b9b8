import assert from 'node:assert/strict'
import { test } from 'node:test'
import { atTurnEnd } from '../../../src/ops/event-loop/turn-end.ts'
import { TurnShare } from '../../../src/ops/event-loop/turn-share.ts'

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** A share of 2 ms of a turn, by a clock that only work moves. */
function opened() {
  let now = 0
  const said: string[] = []
  const share = new TurnShare(
    2,
    () => now,
    () => void said.push('go on'),
  )
  const work = (ms: number): void => share.run(() => (now += ms))
  return { share, said, work, pass: (ms: number) => (now += ms) }
}

test('a share is spent by work only, and there is a new one in each turn', async () => {
  const { share, work, pass } = opened()
  work(1)
  pass(60)
  assert.equal(share.isSpent, false)
  work(9)
  assert.equal(share.isSpent, true)
  await turn()
  assert.equal(share.isSpent, false, 'however much was spent')
})

test('it goes on once in the turn after work, behind the writes, and not again without work', async () => {
  const { said, work } = opened()
  await turn()
  assert.equal(said.length, 0)
  work(1)
  work(1)
  atTurnEnd(() => void said.push('write'))
  await turn()
  await turn()
  assert.deepEqual(said, ['write', 'go on'])
})

test('the rest of a turn can be left to others', async () => {
  const { share, work } = opened()
  work(0)
  share.spendAll()
  assert.equal(share.isSpent, true)
  await turn()
  assert.equal(share.isSpent, false)
})
