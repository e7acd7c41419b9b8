import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Closed } from '../../../src/session/app/closed.ts'

test('abort calls each listener once, and none that was removed', () => {
  const closed = new Closed()
  const called: string[] = []
  const removed = (): void => void called.push('removed')
  closed.addEventListener('abort', () => called.push(`first, aborted: ${closed.aborted}`))
  closed.addEventListener('abort', removed)
  closed.addEventListener('abort', () => called.push('second'))
  closed.removeEventListener('abort', removed)
  assert.equal(closed.aborted, false)
  closed.abort()
  closed.abort()
  assert.deepEqual(called, ['first, aborted: true', 'second'])
})

test('abort and the removal of a listener do nothing when there is none', () => {
  const closed = new Closed()
  closed.removeEventListener('abort', () => undefined)
  closed.abort()
  assert.equal(closed.aborted, true)
})
