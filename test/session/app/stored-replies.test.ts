import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageId } from '../../../src/ocpp/frame.ts'
import { jsonText } from '../../../src/ocpp/json.ts'
import { transactionOfStored } from '../../../src/session/app/stored-replies.ts'
import type { StoredMessage } from '../../../src/session/ports.ts'
import { transactionIdFor } from '../../../src/session/transactions/digest.ts'
import type { StationId } from '../../../src/translate/handshake.ts'

function stored(version: StoredMessage['version'], action: string, payload: object): StoredMessage {
  const name = { stationId: 'CP1' as StationId, version, id: messageId('a'), key: 'k', content: 'c' }
  return { ...name, action, payload: jsonText(payload), attempts: 0, storedAt: 0, seq: 1, nextAttemptAt: 0 }
}

const rows: readonly (readonly [message: StoredMessage, transaction: string | null, because: string])[] = [
  [stored('ocpp1.6', 'StopTransaction', { transactionId: 7 }), '7', 'a stop names its transaction'],
  [stored('ocpp1.6', 'MeterValues', { connectorId: 1 }), null, 'values outside a transaction block no other message'],
  [
    stored('ocpp1.6', 'StartTransaction', { connectorId: 1, idTag: 'A' }),
    String(transactionIdFor({ key: 'k' })),
    'a stored start has the id that the station was given, which its stop will name',
  ],
  [
    stored('ocpp2.0.1', 'TransactionEvent', { transactionInfo: { transactionId: 'T' } }),
    '"T"',
    'an event names its transaction in transactionInfo',
  ],
]

for (const [message, transaction, because] of rows) {
  test(`transactionOfStored of a ${message.version} ${message.action} is ${transaction}: ${because}`, () => {
    assert.equal(transactionOfStored(message), transaction)
  })
}
