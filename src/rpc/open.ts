/**
 * Which transport reaches the app, by the settings.
 */
import { openGrpcJs } from './grpc-js.ts'
import { openGrpc } from './grpc.ts'
import { openHttp } from './http.ts'
import { readTrust } from './trust.ts'
import { defaultLimits, type OpenTransport } from './transport.ts'

const openByGrpc = { grpc: openGrpc, 'grpc-js': openGrpcJs }

export type TransportSettings = {
  /** For `http`: a URL; for both of gRPC: `host:port`, `dns:///host:port`, or `grpc-list://host:port,host:port`. */
  readonly host: string
  readonly impl: keyof typeof openByGrpc | 'http'
  /** For gRPC; a URL says it itself. */
  readonly enableTls: boolean
  readonly tlsVerify: boolean
  /** A file or the PEM text; `null`: what the system trusts. */
  readonly tlsRootCa: string | null
  /** In bytes; 0: gRPC's own limits, over HTTP too. */
  readonly maxCallRecvSize: number
  readonly maxCallSendSize: number
  /** What the app must be shown over HTTP; `null`: nothing. */
  readonly httpKey: string | null
}

/** Does not wait for the app. Throws, with the option in the message, where a setting cannot be used. */
export function openTransport(settings: TransportSettings): OpenTransport {
  const { host, httpKey: key, enableTls } = settings
  const limits = {
    sent: settings.maxCallSendSize || defaultLimits.sent,
    received: settings.maxCallRecvSize || defaultLimits.received,
  }
  const trust = readTrust(settings.tlsRootCa, settings.tlsVerify)
  if (settings.impl === 'http') return openHttp({ url: host, key, trust, limits })
  return openByGrpc[settings.impl](host, { trust: enableTls ? trust : null, limits })
}
