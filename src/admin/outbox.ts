/**
 * A stored message as operators see it, whether the bridge shows it or its directory is read.
 *
 * Pure.
 */
import type { OutboxRow } from '../session/ports.ts'

/** Without the payload. */
export function listedOf({ seq, stationId, version, action, key, storedAt, attempts, deadAt, error }: OutboxRow) {
  return {
    number: seq,
    station: stationId,
    version: version.replace(/^ocpp/, ''),
    action,
    key,
    storedAt: new Date(storedAt).toISOString(),
    attempts,
    state: deadAt === null ? ('pending' as const) : ('dead' as const),
    deadAt: deadAt === null ? null : new Date(deadAt).toISOString(),
    error,
  }
}

/** As JSON; the message id and the payload as the station sent them, digit for digit. */
export function messageText(row: OutboxRow, payload = row.payload): string {
  return `${JSON.stringify(listedOf(row)).slice(0, -1)},"id":${row.id},"payload":${payload}}`
}
