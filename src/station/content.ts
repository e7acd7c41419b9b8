/**
 * What makes two messages the same, whatever their ids.
 */
import { createHash } from 'node:crypto'
import type { Call } from '../ocpp/frame.ts'

/** A digest, to be kept instead of the payload, which has no bound (StopTransaction's data, a report's parts). */
export function contentOf({ action, payload }: Call): string {
  return createHash('sha256').update(`${action}\n${payload}`).digest('base64')
}
