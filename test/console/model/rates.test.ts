import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Rates, sparkline } from '../../../src/console/model/rates.ts'

test('a rate is the difference of two looks, and begins anew with a new connection', () => {
  const rates = new Rates()
  for (const total of [5, 5, 8, 2]) rates.add('CP1', total)
  assert.deepEqual([rates.of('CP1'), rates.of('CP2')], [[0, 3, 2], []])
})

test('thirty looks are kept', () => {
  const rates = new Rates()
  for (let total = 0; total < 50; total++) rates.add('CP1', total)
  assert.equal(rates.of('CP1').length, 30)
})

test('a sparkline has its latest point at the right edge, and its highest at the top', () => {
  assert.equal(sparkline([0, 2], 58, 18), '56,17 58,1')
  assert.equal(sparkline([], 58, 18), '')
})
