/**
 * The budget, with a clock of the test's.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Budget } from '../../../src/ops/limits/budget.ts'

const rate = { perSecond: 10, burst: 50 }

/** [amounts with their times in ms, what is left, because] */
const rows: readonly (readonly [readonly (readonly [number, number])[], number, string])[] = [
  [[[0, 0]], 50, 'it begins full'],
  [[[20, 0]], 30, 'what is spent is gone'],
  [
    [
      [20, 0],
      [0, 1_000],
    ],
    40,
    'it refills with time',
  ],
  [
    [
      [20, 0],
      [0, 3_600_000],
    ],
    50,
    'it saves up no more than the burst',
  ],
  [[[70, 0]], -20, 'it can be overdrawn'],
  [
    [
      [70, 0],
      [0, 3_000],
    ],
    10,
    'what was overdrawn is paid back first',
  ],
]
for (const [spends, left, because] of rows) {
  test(`a budget of 50 has ${left} left after ${spends.map(([amount, at]) => `${amount} at ${at} ms`).join(', ')}: ${because}`, () => {
    const budget = new Budget(rate, 0)
    assert.equal(spends.map(([amount, at]) => budget.spend(amount, at)).at(-1), left)
  })
}

test('an overdrawn budget tells when it is at zero again', () => {
  const budget = new Budget(rate, 0)
  budget.spend(70, 0)
  assert.equal(budget.msUntilZero(), 2_000)
  budget.spend(0, 2_000)
  assert.equal(budget.msUntilZero(), 0)
})

test('a budget gives an amount that is there, and keeps what it has otherwise', () => {
  const budget = new Budget(rate, 0)
  assert.deepEqual(
    [budget.take(40, 0), budget.take(11, 0), budget.take(10, 0), budget.take(1, 0)],
    [true, false, true, false],
  )
  assert.deepEqual([budget.take(10, 1_000), budget.take(1, 1_000)], [true, false], 'refilled')
})
