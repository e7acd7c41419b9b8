import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RpcError } from '../../src/cable/rpc.ts'

test('an RpcError keeps what callers branch on, and its cause', () => {
  const cause = new Error('socket hang up')
  const error = new RpcError('unavailable', 'unknown', 'no connection', { cause })
  assert.ok(error instanceof Error)
  assert.deepEqual(
    [error.name, error.code, error.outcome, error.message, error.cause],
    ['RpcError', 'unavailable', 'unknown', 'no connection', cause],
  )
})
