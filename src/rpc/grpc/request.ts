/**
 * What a call says before its message.
 *
 * Spec: gRPC over HTTP/2, "Requests"; AnyCable `rpc/rpc.go` for `sid` and `protov`.
 */
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { RpcError } from '../../cable/rpc.ts'

export type Ask = {
  readonly path: string
  readonly sid: string
  /** With its prefix. */
  readonly message: Buffer
  /** As `Date` counts; `Infinity`: none. */
  readonly deadline: number
  /** Of the reply, in bytes. */
  readonly maxReceived: number
}

/** Where calls go. */
export interface Origin {
  readonly session: ClientHttp2Session
  readonly scheme: 'http' | 'https'
  readonly authority: string
}

/** The digits that `grpc-timeout` may have. */
const maxTimeout = 99_999_999

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
    protov: 'v1',
  }
  if (deadline !== Infinity) headers['grpc-timeout'] = timeoutOf(deadline - Date.now())
  try {
    return session.request(headers)
  } catch (cause) {
    throw new RpcError('unavailable', 'notRun', 'the connection to the app has just ended', { cause })
  }
}

function timeoutOf(ms: number): string {
  if (ms <= 0) throw new RpcError('timeout', 'notRun', 'Deadline exceeded before the call was sent')
  return ms <= maxTimeout ? `${Math.ceil(ms)}m` : `${Math.min(Math.ceil(ms / 1000), maxTimeout)}S`
}
