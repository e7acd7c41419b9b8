/**
 * What a status that grpc-js makes up itself says about a call. Only its text tells whether the call was sent.
 *
 * Pure. The texts are those of @grpc/grpc-js 1.14. The same text from the app's server cannot be told apart.
 */
import type { RpcError } from '../../cable/rpc.ts'
import { rpcErrorFor, type Status, type StatusRow } from '../grpc/status.ts'
import { withRemedy } from '../trust.ts'

/** No address, no connection, or a stream that the server did not process (RFC 9113 §8.7). */
const notSent =
  /^(round_robin: )?(No connection|Name resolution failed|Failed to parse DNS address|Stream refused by server|Channel closed before call started)/

const rows: readonly StatusRow[] = [
  // DEADLINE_EXCEEDED: before there was a connection.
  { code: 4, text: /waiting for (LB pick|name resolution|metadata filters)/i, means: 'timeout', outcome: 'notRun' },

  // RESOURCE_EXHAUSTED: a reply above our limit; a stream that was reset for load, which may have run.
  {
    code: 8,
    text: /^Received message (that decompresses to a size )?larger than (max \(\d+ vs )?\d+\)?$/,
    means: 'application',
    outcome: 'ran',
    remedy: 'the reply is larger than rpc_max_call_recv_size',
  },
  { code: 8, text: /^Bandwidth exhausted or memory limit exceeded/, means: 'unavailable', outcome: 'unknown' },

  // INTERNAL: the stream ended without a status.
  { code: 13, text: /^Received RST_STREAM with code/, means: 'unavailable', outcome: 'unknown' },

  { code: 14, text: notSent, means: 'unavailable', outcome: 'notRun' },
]

export function rpcErrorForGrpcJs({ code, details }: Status): RpcError {
  const reason = unwrapped(details)
  return rpcErrorFor({ code, details: notSent.test(reason) ? withRemedy(reason) : reason }, rows)
}

/** The reason, without the words that each load balancer on the way up puts around it. */
function unwrapped(details: string): string {
  const reason = details.replace(/^(round_robin: )?(No connection established\. Last error: )+/, 'No connection: ')
  return reason.replace(/\. Resolution note: $/, '').trim()
}
