/**
 * What a call says before its message.
 *
 * Spec: gRPC over HTTP/2, "Requests"; AnyCable `rpc/rpc.go` for `sid` and `protov`.
 */
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { RpcError } from '../../cable/rpc.ts'
import { protov } from '../messages.ts'
import type { Ask } from '../service.ts'

/** Where calls go. */
export interface Origin {
  readonly session: ClientHttp2Session
  readonly scheme: 'http' | 'https'
  readonly authority: string
}

/** @throws RpcError where the deadline is over, or the connection */
export function request({ session, scheme, authority }: Origin, { path, sid, deadline }: Ask): ClientHttp2Stream {
  const headers: Record<string, string> = {
    ':method': 'POST',
    ':scheme': scheme,
    ':authority': authority,
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'ocpp-cable',
    sid,
    protov,
  }
  if (deadline !== Infinity) headers['grpc-timeout'] = timeoutOf(deadline - Date.now())
  try {
    return session.request(headers)
  } catch (cause) {
    throw new RpcError('unavailable', 'notRun', 'the connection to the app has just ended', { cause })
  }
}

/** Eight digits at most, which in milliseconds are more than the longest deadline has. */
function timeoutOf(ms: number): string {
  if (ms <= 0) throw new RpcError('timeout', 'notRun', 'Deadline exceeded before the call was sent')
  return `${Math.ceil(ms)}m`
}
