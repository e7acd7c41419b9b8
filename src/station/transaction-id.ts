/**
 * The transaction id that the bridge gives where the app gives none (`ocpp_silent_ack=anycable`).
 */
import { createHash } from 'node:crypto'
import { idKey, type Call } from '../ocpp/frame.ts'
import type { StationId } from '../translate/handshake.ts'

/**
 * Positive, 31 bits (OCPP 1.6 errata §3.54). The same for each try of the same message, also on another connection and
 * of another process: an app that has booked the first one under this id must find it in the answer to the second.
 */
export function transactionIdFor(stationId: StationId, { id, payload }: Call): number {
  const digest = createHash('sha256')
    .update(JSON.stringify([stationId, idKey(id), payload]))
    .digest()
  return digest.readUInt32BE() >>> 1 || 1
}
