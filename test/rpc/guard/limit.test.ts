import assert from 'node:assert/strict'
import { test } from 'node:test'
import { initialLimit, limitAfter } from '../../../src/rpc/guard/limit.ts'

const waiting = true
const rows = [
  [25, 0, 'refused', waiting, 24, 0, 'it was one too many'],
  [25, 0, 'refused', !waiting, 24, 0, 'one too many, even if none waits'],
  [25, 60, 'refused', waiting, 24, 0, 'replies in a row are counted anew'],
  [5, 19, 'refused', waiting, 5, 0, 'five is the minimum'],
  [25, 0, 'replied', waiting, 25, 1, 'one reply is not enough'],
  [25, 98, 'replied', waiting, 25, 99, 'four for each call, less one, are not enough'],
  [25, 99, 'replied', waiting, 26, 0, 'four for each call are enough'],
  [26, 99, 'replied', waiting, 26, 100, 'a higher limit rises more slowly'],
  [25, 99, 'replied', !waiting, 25, 99, 'no call needs a higher limit'],
  [99, 395, 'replied', waiting, 100, 0, 'it can reach a hundred'],
  [100, 0, 'replied', waiting, 100, 0, 'a hundred is the maximum'],
] as const
for (const [calls, replies, end, areWaiting, thenCalls, thenReplies, because] of rows) {
  const queue = areWaiting ? 'calls wait' : 'no call waits'
  test(`limitAfter turns ${calls} into ${thenCalls} when a call is ${end}, ${replies} were, ${queue}: ${because}`, () => {
    const next = limitAfter({ calls, replies }, end, areWaiting)
    assert.deepEqual(next, { calls: thenCalls, replies: thenReplies })
  })
}

test('initialLimit is 25 calls', () => {
  assert.deepEqual(initialLimit, { calls: 25, replies: 0 })
})

test('limitAfter reaches 29 when an app with 29 threads refuses 31 of 60 calls', () => {
  let limit = { calls: 60, replies: 0 }
  for (let refused = 0; refused < 31; refused++) limit = limitAfter(limit, 'refused', waiting)
  assert.equal(limit.calls, 29)
})
