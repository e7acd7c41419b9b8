/**
 * permessage-deflate (RFC 7692): which stations it is negotiated with, and its parameters, which limit memory.
 *
 * Spec: required of a CSMS by OCPP 2.0.1 Part 4 §3.3 and 2.1 Part 4 §3.4; OCPP-J 1.6 §5.1 leaves it open.
 */
import { versions, type Version } from '../../ocpp/version.ts'

/** `auto`: only if the version requires it. */
export type Compression = 'auto' | 'on' | 'off'

export function mayCompress(compression: Compression, version: Version): boolean {
  return compression === 'on' || (compression === 'auto' && versions[version].compresses)
}

/**
 * The response to a station's offer. Messages below the threshold are not compressed and allocate nothing.
 * `client_no_context_takeover` is accepted if offered, but never requested: a client need not support it (§7.1.1.2),
 * and Netty then closes the connection. Every client can read a smaller window than it offered.
 */
export const deflate = {
  serverNoContextTakeover: true,
  // The largest window takes 256 KiB per station, and compresses OCPP payloads no better.
  serverMaxWindowBits: 10,
  threshold: 1024,
  zlibDeflateOptions: { memLevel: 5, chunkSize: 4096 },
  zlibInflateOptions: { chunkSize: 4096 },
}
