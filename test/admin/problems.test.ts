import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProblemError } from '../../src/admin/problems.ts'

test('a problem has the type of its name, and what the request adds', () => {
  assert.deepEqual(new ProblemError('queue-full', 'Too many', { id: 'a' }).problem, {
    type: '/problems/queue-full',
    title: 'Too many commands wait for this Charging Station',
    status: 429,
    detail: 'Too many',
    id: 'a',
  })
  assert.equal('detail' in new ProblemError('internal').problem, false)
})
