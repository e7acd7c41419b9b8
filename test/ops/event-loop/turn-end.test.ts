/**
 * The order in which a turn of the event loop ends.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { afterWrites, atTurnEnd } from '../../../src/ops/event-loop/turn-end.ts'

test('what a turn has to write leaves before a slice of work that goes on turn by turn', async () => {
  const order: string[] = []
  let isOver = false
  const slice = (): void => {
    order.push('slice')
    if (!isOver) afterWrites(slice)
  }
  slice()
  await sleep(1) // The next line runs where timers do, before the end of a turn.
  order.length = 0
  atTurnEnd(() => order.push('write'))
  isOver = true
  await setImmediate()
  assert.deepEqual(order, ['write', 'slice'])
})

test('a write is called once at the end of the turn, however often it is asked for', async () => {
  let written = 0
  const write = (): number => ++written
  atTurnEnd(write)
  atTurnEnd(write)
  assert.equal(written, 0)
  await setImmediate()
  assert.equal(written, 1)
  await setImmediate()
  assert.equal(written, 1)
})

test('a write that another one asks for belongs to the same turn, also if it was called before', async () => {
  const order: string[] = []
  const first = (): void => void order.push('first')
  atTurnEnd(first)
  atTurnEnd(() => {
    order.push('second')
    atTurnEnd(first)
  })
  await setImmediate()
  assert.deepEqual(order, ['first', 'second', 'first'])
})
