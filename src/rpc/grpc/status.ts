/**
 * What the end of a call says about it, above all whether the app can have run it: a gRPC status, or what ended the
 * stream without one.
 *
 * Pure. The codes are gRPC's, the texts those of its server for Ruby. Spec: gRPC over HTTP/2, "HTTP2 Transport
 * Mapping"; "HTTP to gRPC Status Code Mapping"; RFC 9113 §7, §8.7.
 */
import { RpcError } from '../../cable/rpc.ts'
import { errorCodes } from '../../http2/frames.ts'

export type Status = { readonly code: number; readonly details: string }

export type StatusRow = {
  readonly code: number
  /** Of several rows with one code, the first whose text occurs in the details applies. */
  readonly text?: RegExp
  readonly means: RpcError['code']
  readonly outcome: RpcError['outcome']
  readonly remedy?: string
}

const rows: readonly StatusRow[] = [
  // CANCELLED: a call that the bridge cancels has settled before, so the app's side cancelled this one.
  { code: 1, means: 'unavailable', outcome: 'unknown' },

  // DEADLINE_EXCEEDED
  { code: 4, means: 'timeout', outcome: 'unknown' },

  // RESOURCE_EXHAUSTED: the reply is above the size limit of the app's server; or the call is, and would be again; or
  // the server has no free thread, which it says before it runs anything.
  {
    code: 8,
    text: /sen[dt] message .*larger than/i,
    means: 'application',
    outcome: 'unknown',
    remedy: "the reply is larger than the app's server may send",
  },
  {
    code: 8,
    text: /larger than/,
    means: 'application',
    outcome: 'notRun',
    remedy: "the call is larger than the app's server accepts",
  },
  { code: 8, means: 'exhausted', outcome: 'notRun' },

  // UNIMPLEMENTED: another service listens there.
  { code: 12, means: 'application', outcome: 'notRun' },

  // UNAVAILABLE: the server is stopping, or a proxy has lost it.
  { code: 14, means: 'unavailable', outcome: 'unknown' },
]

/** Every other code is the app's verdict on the call, which a retry would not change. */
const anyOther = { means: 'application', outcome: 'unknown' } as const

/** @param first  rows that apply before those of the app's server, for a client that makes up statuses itself */
export function rpcErrorFor({ code, details }: Status, first: readonly StatusRow[] = []): RpcError {
  const fits = (row: StatusRow): boolean => row.code === code && (row.text?.test(details) ?? true)
  const row: Omit<StatusRow, 'code'> = first.find(fits) ?? rows.find(fits) ?? anyOther
  const message = `gRPC code ${code}: ${details}`
  return new RpcError(row.means, row.outcome, row.remedy === undefined ? message : `${message}; ${row.remedy}`)
}

/** Another service listens there. */
const notFound = 404
/** From a proxy that has lost the app, or limits calls to it. */
const unavailable: readonly number[] = [429, 502, 503, 504]

/** @param status  of an HTTP server or proxy that does not speak gRPC */
export function rpcErrorForHttp(status: number): RpcError {
  const message = `the reply is not gRPC: HTTP status code ${status}`
  if (unavailable.includes(status)) return new RpcError('unavailable', 'unknown', message)
  return new RpcError('application', status === notFound ? 'notRun' : 'unknown', message)
}

/** @param code  of RST_STREAM; 0 for a stream that ended without an error */
export function rpcErrorForReset(code: number): RpcError {
  if (code === 0) return new RpcError('unavailable', 'unknown', 'the reply ended without a gRPC status')
  const message = `the app reset the stream with HTTP/2 code ${code}`
  const means = code === errorCodes.inadequateSecurity ? 'application' : 'unavailable'
  return new RpcError(means, 'unknown', message)
}

/** Percent-decodes `grpc-message`; text that is not percent-encoded is returned as it is. */
export function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
