/**
 * Transaction messages for the outbox.
 */
import assert from 'node:assert/strict'
import { messageId } from '../../src/ocpp/frame.ts'
import { jsonText } from '../../src/ocpp/json.ts'
import type { Outbox, OutboxMessage, StoredMessage } from '../../src/session/ports.ts'
import type { StationId } from '../../src/translate/handshake.ts'

/** A message whose id, key and content say `name`. */
export function outboxMessage(
  name: string,
  { station = 'CP1', action = 'StopTransaction', padding = '' } = {},
): OutboxMessage {
  return {
    stationId: station as StationId,
    version: 'ocpp1.6',
    id: messageId(name),
    key: `${action}-${name}`,
    content: `digest of ${name}`,
    action,
    payload: jsonText({ name, padding }),
    attempts: 0,
    storedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
  }
}

/** All pending messages of a station. */
export async function allPending(outbox: Outbox, station = 'CP1'): Promise<StoredMessage[]> {
  const messages: StoredMessage[] = []
  for (;;) {
    const page = await outbox.pendingOf(station as StationId, messages.at(-1)?.seq)
    if (page.length === 0) return messages
    messages.push(...page)
  }
}

/** All that was confirmed is there, nothing is there twice, and each writer's messages are in their order. */
export function assertKept(confirmed: Iterable<string>, messages: readonly StoredMessage[]): void {
  const found = new Set<string>(messages.map(({ id }) => id))
  assert.equal(found.size, messages.length)
  assert.deepEqual(
    [...confirmed].filter(id => !found.has(id)),
    [],
  )
  const last = new Map<string, number>()
  for (const { id } of messages) {
    const [process = '', number = ''] = (JSON.parse(id) as string).split('-')
    assert.ok(Number(number) > (last.get(process) ?? -1), `${id} is out of order`)
    last.set(process, Number(number))
  }
}
