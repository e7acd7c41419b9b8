/**
 * What the end of a stream means for its call, where no gRPC status says so.
 *
 * Pure. Spec: gRPC over HTTP/2, "HTTP2 Transport Mapping"; "HTTP to gRPC Status Code Mapping"; RFC 9113 §7, §8.7.
 */
import { constants } from 'node:http2'
import { RpcError } from '../../cable/rpc.ts'

/** Another service listens there. */
const notFound = 404
/** A proxy that has lost the app, or had too much of it. */
const unavailable: readonly number[] = [429, 502, 503, 504]

/** @param status  of an HTTP server or a proxy that knows no gRPC */
export function errorForHttp(status: number): RpcError {
  const said = `the app answered without gRPC, with HTTP status code ${status}`
  if (unavailable.includes(status)) return new RpcError('unavailable', 'unknown', said)
  return new RpcError('application', status === notFound ? 'notRun' : 'unknown', said)
}

/** @param code of RST_STREAM; 0 is a stream that ended in peace */
export function errorForReset(code: number): RpcError {
  if (code === 0) return new RpcError('unavailable', 'unknown', 'the reply ended without a gRPC status')
  const said = `the app reset the call, with HTTP/2 code ${code}`
  return new RpcError(code === constants.NGHTTP2_INADEQUATE_SECURITY ? 'application' : 'unavailable', 'unknown', said)
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
