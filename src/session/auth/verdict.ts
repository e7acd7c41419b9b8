/**
 * Why the app has rejected a station at Connect.
 *
 * Spec: OCPP-J 1.6 §3.2, OCPP 2.0.1 and 2.1 Part 4 §3.2 (404 for an unknown station).
 */
import type { ConnectReply } from '../../cable/rpc.ts'
import { readTransmission } from '../../translate/messages.ts'

export type Verdict = 'unauthorized' | 'unknown'

/** The app marks an unknown station by a `disconnect` with the reason `not_found`. */
export function verdictOf({ transmissions }: Pick<ConnectReply, 'transmissions'>): Verdict {
  const isUnknown = transmissions.map(readTransmission).some(isNotFound)
  return isUnknown ? 'unknown' : 'unauthorized'
}

function isNotFound(message: ReturnType<typeof readTransmission>): boolean {
  return message.kind === 'cable' && message.type === 'disconnect' && message.reason === 'not_found'
}
