/**
 * permessage-deflate (RFC 7692): for which stations, and at what price in memory.
 *
 * Spec: required of a CSMS by OCPP 2.0.1 Part 4 §3.3 and 2.1 Part 4 §3.4; OCPP-J 1.6 §5.1 leaves it open.
 */
import { versions, type Version } from '../ocpp/version.ts'

/** `auto`: where the version requires it. */
export type Compression = 'auto' | 'on' | 'off'

export function mayCompress(compression: Compression, version: Version): boolean {
  return compression === 'on' || (compression === 'auto' && versions[version].compresses)
}

/**
 * What a station's offer is answered with. Nothing is compressed, and no memory taken for it, below the threshold.
 * `client_no_context_takeover` is agreed on where it is offered, and not asked for: a client need not know it
 * (§7.1.1.2), and Netty's then ends the connection. A smaller window than the offer's every client can read.
 */
export const deflate = {
  serverNoContextTakeover: true,
  // A quarter of a megabyte a station with the largest; payloads of OCPP come out just as small.
  serverMaxWindowBits: 10,
  threshold: 1024,
  zlibDeflateOptions: { memLevel: 5, chunkSize: 4096 },
  zlibInflateOptions: { chunkSize: 4096 },
}
