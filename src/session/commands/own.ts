/**
 * The bridge's own commands, known by their ids: the app is not told how they end.
 */
import { messageId, type MessageId } from '../../ocpp/frame.ts'
import type { Origin } from '../../ops/reporting/traces.ts'
import type { Command } from './unanswered.ts'

/** How their ids begin, as JSON text. */
export const ownIdStart = '"ocpp-cable-'

/** The id of one; at most 36 characters. */
export function ownId(uuid: string): MessageId {
  return messageId(ownIdStart.slice(1) + uuid.replaceAll('-', '').slice(-25))
}

export function originOf({ id, asked }: Pick<Command, 'id' | 'asked'>): Origin {
  if (asked !== null) return 'admin'
  return id.startsWith(ownIdStart) ? 'bridge' : null
}
