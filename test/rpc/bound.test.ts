import assert from 'node:assert/strict'
import { test } from 'node:test'
import { boundAfter, firstBound } from '../../src/rpc/bound.ts'

const waiting = true
const rows = [
  [25, 0, 'refused', waiting, 24, 0, 'it was one too many'],
  [25, 0, 'refused', !waiting, 24, 0, 'it was one too many, whoever waits'],
  [25, 60, 'refused', waiting, 24, 0, 'the row of answers is broken'],
  [5, 19, 'refused', waiting, 5, 0, 'there are five at least'],
  [25, 0, 'answered', waiting, 25, 1, 'one answer is not enough'],
  [25, 98, 'answered', waiting, 25, 99, 'nor are four for each, less one'],
  [25, 99, 'answered', waiting, 26, 0, 'four for each are'],
  [26, 99, 'answered', waiting, 26, 100, 'the higher, the slower'],
  [25, 99, 'answered', !waiting, 25, 99, 'one more would help nobody'],
  [99, 395, 'answered', waiting, 100, 0, 'up to a hundred'],
  [100, 0, 'answered', waiting, 100, 0, 'there are a hundred at most'],
] as const
for (const [limit, answered, end, areWaiting, thenLimit, thenAnswered, because] of rows) {
  const line = areWaiting ? 'others wait' : 'nobody waits'
  test(`${limit} after ${answered} answers: ${end}, ${line}: ${thenLimit}, because ${because}`, () => {
    const next = boundAfter({ limit, answered }, end, areWaiting)
    assert.deepEqual(next, { limit: thenLimit, answered: thenAnswered })
  })
}

test('it begins with 25', () => {
  assert.deepEqual(firstBound, { limit: 25, answered: 0 })
})

test('60 calls at an app of 29 threads: after the 31 refusals it is at what the app takes', () => {
  let bound = { limit: 60, answered: 0 }
  for (let refused = 0; refused < 31; refused++) bound = boundAfter(bound, 'refused', waiting)
  assert.equal(bound.limit, 29)
})
