/**
 * What a gRPC status that is not OK says about a call: whether the app can have run it.
 *
 * Pure. The codes are gRPC's; the texts are those of @grpc/grpc-js 1.14, which tells no other way whether a call left.
 */
import { RpcError } from '../cable/rpc.ts'
import { withRemedy } from './trust.ts'

type Row = {
  readonly code: number
  /** Of the rows of a code, the first whose text is in the details counts. */
  readonly text?: RegExp
  readonly means: RpcError['code']
  readonly outcome: RpcError['outcome']
  readonly remedy?: string
}

const notSent =
  /^(round_robin: )?(No connection established|Name resolution failed|Failed to parse DNS address|Stream refused by server|Channel closed before call started)/

const rows: readonly Row[] = [
  // CANCELLED: we never cancel, so the app's side gave the stream up.
  { code: 1, means: 'unavailable', outcome: 'unknown' },

  // DEADLINE_EXCEEDED: before there was a connection, or after the call was sent.
  { code: 4, text: /waiting for (LB pick|name resolution|metadata filters)/i, means: 'timeout', outcome: 'notRun' },
  { code: 4, means: 'timeout', outcome: 'unknown' },

  // RESOURCE_EXHAUSTED: a reply over our limit, as grpc-js writes it, or a request over that of the app's server, as gRPC
  // for Ruby does: it will be so again. A stream reset for load may have run. Else it is the app's server that has no free
  // thread, and says so before it runs anything.
  {
    code: 8,
    text: /^Received message (that decompresses to a size )?larger than (max \(\d+ vs )?\d+\)?$/,
    means: 'application',
    outcome: 'ran',
    remedy: 'the reply is larger than rpc_max_call_recv_size',
  },
  {
    code: 8,
    text: /larger than/,
    means: 'application',
    outcome: 'notRun',
    remedy: "the call is larger than what the app's server takes",
  },
  { code: 8, text: /^Bandwidth exhausted or memory limit exceeded/, means: 'unavailable', outcome: 'unknown' },
  { code: 8, means: 'exhausted', outcome: 'notRun' },

  // UNIMPLEMENTED: another service listens there.
  { code: 12, means: 'application', outcome: 'notRun' },

  // INTERNAL: made here when a stream ends without a status; otherwise it is the app's.
  { code: 13, text: /^Received RST_STREAM with code/, means: 'unavailable', outcome: 'unknown' },

  // UNAVAILABLE: no address, no connection, or a stream that the server did not process (RFC 9113 §8.7); else it broke.
  { code: 14, text: notSent, means: 'unavailable', outcome: 'notRun' },
  { code: 14, means: 'unavailable', outcome: 'unknown' },
]

/** Every other code is the app's own verdict on the call, which a second try would not change. */
const anyOther = { means: 'application', outcome: 'unknown' } as const

export function rpcErrorFor({ code, details }: { readonly code: number; readonly details: string }): RpcError {
  const row: Row = rows.find(one => one.code === code && (one.text?.test(details) ?? true)) ?? { code, ...anyOther }
  const said = `gRPC code ${code}: ${unwrapped(details)}`
  return new RpcError(row.means, row.outcome, row.remedy === undefined ? withRemedy(said) : `${said}; ${row.remedy}`)
}

/** Without what each balancer on the way up has put around the reason. */
function unwrapped(details: string): string {
  const reason = details.replace(/^(round_robin: )?(No connection established\. Last error: )+/, 'No connection: ')
  return reason.replace(/\. Resolution note: $/, '').trim()
}
