/**
 * What a close frame says: the code for an error of `ws`, and a reason that fits.
 *
 * Spec: RFC 6455 §5.5, §7.4.
 */
import type { Limit } from '../../ops/metrics.ts'

/** A control frame has at most 125 bytes, two of which are the close code (RFC 6455 §5.5). */
const maxReasonBytes = 123

/** The codes that `ws` closes with for its errors; all others close with 1002. */
const closeCodes: ReadonlyMap<string, number> = new Map([
  ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 1009],
  ['WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH', 1009],
  ['WS_ERR_TOO_MANY_BUFFERED_PARTS', 1008],
  ['Z_DATA_ERROR', 1007],
  ['WS_ERR_INVALID_UTF8', 1007],
  ['ECONNRESET', 1006],
  ['EPIPE', 1006],
])

/** The code that `ws` closes a connection with for an error of its own. */
export function closeCodeFor({ code }: { readonly code?: string }): number {
  return closeCodes.get(code ?? '') ?? 1002
}

/** The limit that an error of `ws` is about; `null` for any other error. */
export function limitOf({ code }: { readonly code?: string }): Limit | null {
  if (code === 'WS_ERR_TOO_MANY_BUFFERED_PARTS') return 'fragments'
  return closeCodes.get(code ?? '') === 1009 ? 'message_size' : null
}

/** Cuts a reason at a whole character, so that it fits a close frame. */
export function closeReason(reason: string): string {
  let end = reason.length
  while (Buffer.byteLength(reason.slice(0, end)) > maxReasonBytes) end--
  return reason.slice(0, end)
}
