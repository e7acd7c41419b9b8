/**
 * Opens the transport to the app that the settings ask for.
 */
import { openGrpcJs } from './grpc-js/channel.ts'
import { openGrpc } from './grpc/channel.ts'
import { openHttp } from './http/client.ts'
import { defaultLimits, type OpenTransport } from './transport.ts'
import { readTrust } from './trust.ts'

const openByGrpc = { grpc: openGrpc, 'grpc-js': openGrpcJs }

export type TransportSettings = {
  /** For `http` a URL; for both gRPC clients `host:port`, `dns:///host:port`, or `grpc-list://host:port,host:port`. */
  readonly host: string
  readonly impl: keyof typeof openByGrpc | 'http'
  /** For gRPC; a URL has its own scheme. */
  readonly enableTls: boolean
  readonly tlsVerify: boolean
  /** A file, or the PEM text; `null` for the CAs that the system trusts. */
  readonly tlsRootCa: string | null
  /** In bytes; 0 for gRPC's own limits, over HTTP too. */
  readonly maxCallRecvSize: number
  readonly maxCallSendSize: number
  /** The key that the app expects over HTTP; `null` for none. */
  readonly httpKey: string | null
}

/** Does not wait for the app. Throws where a setting cannot be used; the message names the option. */
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
