/**
 * Budgets by key, with a clock of the test's.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Budgets } from '../../../src/ops/limits/budgets.ts'

const rate = { perSecond: 1, burst: 10 }

test('a key finds what was left of its budget, another one a full budget', () => {
  let now = 0
  const budgets = new Budgets<string>(rate, () => now)
  budgets.of('a').spend(7, now)
  assert.equal(budgets.of('a').spend(0, now), 3)
  assert.equal(budgets.of('b').spend(0, now), 10)
  now = 2_000
  assert.equal(budgets.of('a').spend(0, now), 5)
})

test('beyond 10,000 keys, the budget that was used longest ago is dropped', () => {
  const budgets = new Budgets<number>(rate, () => 0)
  for (let key = 0; key < 10_000; key++) budgets.of(key).spend(10, 0)
  budgets.of(0)
  budgets.of(10_000)
  assert.equal(budgets.of(0).spend(0, 0), 0)
  assert.equal(budgets.of(1).spend(0, 0), 10)
})

test('a budget that was full, and used since, is found again once it is kept', () => {
  let now = 0
  const budgets = new Budgets<string>(rate, () => now)
  const budget = budgets.of('a')
  now = 60_000
  budgets.of('b')
  budget.spend(7, now)
  budgets.keep('a', budget)
  assert.equal(budgets.of('a').spend(0, now), 3)
})
