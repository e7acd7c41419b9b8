import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Tally } from '../../src/ops/tally.ts'

test('a tally without labels has one count, from the start', () => {
  const tally = new Tally([], () => 0)
  assert.deepEqual(tally.all, [{ labels: {}, value: 0 }])
  assert.equal(tally.of({}), tally.all[0])
})

test('a tally has one count for each combination of labels, whatever their order', () => {
  const tally = new Tally(['a', 'b'], () => 0)
  const first = tally.of({ a: '1', b: '2' })
  const second = tally.of({ a: '1', b: '3' })
  assert.equal(tally.of({ b: '2', a: '1' }), first)
  first.value += 5
  second.value++
  assert.deepEqual(tally.all, [
    { labels: { a: '1', b: '2' }, value: 5 },
    { labels: { a: '1', b: '3' }, value: 1 },
  ])
})

test('a tally counts what exceeds 5,000 series as other', () => {
  const tally = new Tally(['id', 'kind'], () => 0)
  for (let id = 0; id < 6_000; id++) tally.of({ id: `${id}`, kind: 'x' }).value++
  assert.equal(tally.all.length, 5_001)
  assert.deepEqual(tally.all.at(-1), { labels: { id: 'other', kind: 'other' }, value: 1_000 })
})
