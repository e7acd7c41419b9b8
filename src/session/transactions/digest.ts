/**
 * What identifies a message whatever its connection: a digest of its content, and the transaction id made from it.
 */
import { createHash } from 'node:crypto'
import { idKey, type Call } from '../../ocpp/frame.ts'
import type { StationId } from '../../translate/handshake.ts'

/** Equal for two messages of the same action and payload, whatever their ids; payloads themselves have no size limit. */
export function contentOf({ action, payload }: Call): string {
  return createHash('sha256').update(`${action}\n${payload}`).digest('base64')
}

/**
 * The transaction id that a station gets where the app gives none (`ocpp_silent_ack=anycable`): positive, 31 bits (OCPP
 * 1.6 errata §3.54).
 *
 * The same for each attempt of a message, on any connection and in any process: an app that has booked the first attempt
 * under this id finds it in the answer to the second.
 */
export function transactionIdFor(stationId: StationId, { id, payload }: Call): number {
  const digest = createHash('sha256')
    .update(JSON.stringify([stationId, idKey(id), payload]))
    .digest()
  return digest.readUInt32BE() >>> 1 || 1
}
