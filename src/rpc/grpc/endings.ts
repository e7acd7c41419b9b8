/**
 * What the end of a stream means for its call, where no gRPC status says so.
 *
 * Pure. Spec: gRPC over HTTP/2, "HTTP2 Transport Mapping"; "HTTP to gRPC Status Code Mapping"; RFC 9113 §7, §8.7.
 */
import { RpcError } from '../../cable/rpc.ts'
import { rpcErrorFor } from '../grpc-status.ts'

/** gRPC's status for what an HTTP server or a proxy answers that knows no gRPC; any other is UNKNOWN. */
const statusByHttp: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
}
const unknown = 2

/** gRPC's status for the code of a reset; after any other the call may have run, and nobody knows. */
const statusByReset: Readonly<Record<number, { readonly code: number; readonly details: string }>> = {
  8: { code: 1, details: 'Call cancelled' },
  11: { code: 8, details: 'Bandwidth exhausted or memory limit exceeded' },
  12: { code: 7, details: 'Permission denied as protocol is not secure enough' },
}

export function errorForHttp(status: number): RpcError {
  return rpcErrorFor({ code: statusByHttp[status] ?? unknown, details: `Received HTTP status code ${status}` })
}

/** @param code of RST_STREAM; 0 is a stream that ended in peace */
export function errorForReset(code: number): RpcError {
  const status = statusByReset[code]
  if (status !== undefined) return rpcErrorFor(status)
  const said = code === 0 ? 'the reply ended without a gRPC status' : `the app reset the call, with HTTP/2 code ${code}`
  return new RpcError('unavailable', 'unknown', said)
}

/** The server has not looked at the stream, and never will: the call may be made again. */
export function refused(): RpcError {
  return new RpcError('unavailable', 'notRun', 'the app took no more calls on this connection')
}

/** `grpc-message`; what is no percent-encoding stands as it came. */
export function decodedMessage(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
