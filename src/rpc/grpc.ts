/**
 * The app over gRPC, by a client of our own on `node:http2`: at one address, at all of a name, or at each of a list.
 *
 * It costs half of what grpc-js costs for a call. `grpc-js.ts` is that one.
 */
import dns from 'node:dns/promises'
import { grpcDefaults, type GrpcSettings } from './grpc-settings.ts'
import { Host, type Lookup } from './grpc/host.ts'
import { Pool } from './grpc/pool.ts'
import { hostPort } from './grpc/socket.ts'
import { GrpcCalls } from './service.ts'
import type { OpenTransport } from './transport.ts'

type ClientSettings = GrpcSettings & {
  /** How long the answer to a ping may take. */
  readonly pongMs?: number
  readonly lookup?: Lookup
}

const defaults = { ...grpcDefaults, pongMs: 20_000, lookup: dns.lookup }

/**
 * Connects to each address at once, and again after each loss. Does not wait for it.
 *
 * @param host  `host:port`, `dns:///host:port`, or `grpc-list://host:port,host:port`
 */
export function openGrpc(host: string, settings: ClientSettings = {}): OpenTransport {
  const { limits, lookup, ...others } = { ...defaults, ...settings }
  const linkSettings = { ...others, maxReceived: limits.received }
  const names = host.replace(/^(grpc-list:\/\/|dns:\/\/\/)/, '').split(',')
  const open = (changed: () => void): readonly Host[] =>
    names.map(name => new Host({ ...linkSettings, name: hostPort(name) }, lookup, changed))
  return new GrpcCalls(new Pool(open), limits)
}
