import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listedOf, messageText } from '../../src/admin/outbox.ts'
import type { OutboxRow } from '../../src/session/ports.ts'
import type { StationId } from '../../src/translate/handshake.ts'

const row: OutboxRow = {
  seq: 7,
  stationId: 'CP1' as StationId,
  version: 'ocpp2.0.1',
  id: '"m 1"',
  action: 'TransactionEvent',
  key: 'k',
  payload: '{"seqNo": 1.0}',
  storedAt: Date.UTC(2026, 0, 2),
  attempts: 1,
  deadAt: null,
  error: null,
}

test('a stored message is listed with its state', () => {
  const { number, version, state, storedAt, deadAt } = listedOf(row)
  const pending = [7, '2.0.1', 'pending', '2026-01-02T00:00:00.000Z', null]
  assert.deepEqual([number, version, state, storedAt, deadAt], pending)
  const dead = listedOf({ ...row, deadAt: Date.UTC(2026, 0, 3) })
  assert.deepEqual([dead.state, dead.deadAt], ['dead', '2026-01-03T00:00:00.000Z'])
})

test('a stored message has its payload digit for digit, or another one in its place', () => {
  assert.match(messageText(row), /^\{"number":7,.*,"error":null,"id":"m 1","payload":\{"seqNo": 1\.0\}\}$/)
  assert.match(messageText(row, '{}'), /"payload":\{\}\}$/)
})
