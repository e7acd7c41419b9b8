import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Scans } from '../../../src/admin/stations/scan.ts'

test('a scan looks at everything, and lets other work run in between', async () => {
  let now = 0
  let turns = 0
  let isDone = false
  const scans = new Scans(() => now)
  const count = (): void => {
    turns++
    if (!isDone) setImmediate(count)
  }
  setImmediate(count)
  let seen = 0
  await scans.each(Array.from({ length: 1_000 }), () => {
    seen++
    now += 0.1
  })
  isDone = true
  assert.equal(seen, 1_000)
  assert.ok(turns >= 15, `${turns} turns`)
})

test('scans run one after another, and too many at once are refused', async () => {
  const scans = new Scans(() => 0)
  const order: number[] = []
  const all = Array.from({ length: 101 }, (_, at) => scans.each([at], item => order.push(item)))
  await assert.rejects(all.at(-1) ?? Promise.resolve(), /100 scans wait/)
  await Promise.all(all.slice(0, -1))
  assert.deepEqual(
    order,
    Array.from({ length: 100 }, (_, at) => at),
  )
})

test('a scan that fails leaves the next one alone', async () => {
  const scans = new Scans(() => 0)
  const fail = (): never => {
    throw new Error('a bug')
  }
  await assert.rejects(scans.each([1], fail), /a bug/)
  const seen: number[] = []
  await scans.each([2], item => seen.push(item))
  assert.deepEqual(seen, [2])
})
