/**
 * Transaction messages for the outbox.
 */
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
