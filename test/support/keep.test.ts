import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keepUntil } from './keep.ts'

test('keepUntil closes all parts at the end, the last first, also when one of them fails to close', async () => {
  let end = (): Promise<void> => Promise.reject(new Error('nothing is registered'))
  const closed: string[] = []
  const keep = keepUntil(close => (end = close))
  const first = { stop: () => closed.push('first') }
  assert.equal(keep(first), first)
  keep({ close: () => Promise.reject(new Error('the second failed')) })
  keep({ close: () => Promise.resolve(closed.push('third')) })
  assert.deepEqual(closed, [])
  await assert.rejects(end(), /the second failed/)
  assert.deepEqual(closed, ['third', 'first'])
  await end()
  assert.deepEqual(closed, ['third', 'first'])
})
