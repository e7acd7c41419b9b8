/**
 * The app over gRPC, by a client of our own on `node:http2`: at one address, at all of a name, or at each of a list.
 *
 * It costs half of what grpc-js costs for a call. `grpc-js.ts` is that one.
 */
import { lookup } from 'node:dns/promises'
import {
  RpcError,
  type CommandCall,
  type CommandReply,
  type ConnectCall,
  type ConnectReply,
  type DisconnectCall,
} from '../cable/rpc.ts'
import { Host, type Lookup } from './grpc/host.ts'
import { framed } from './grpc/message.ts'
import { Pool } from './grpc/pool.ts'
import { readService, type Method, type Service } from './grpc/service.ts'
import { hostPort, type HostPort } from './grpc/socket.ts'
import { checkSize, defaultLimits, type OpenTransport, type SizeLimits } from './transport.ts'
import type { Trust } from './trust.ts'

export type GrpcSettings = {
  /** `null`: without TLS. */
  readonly trust?: Trust | null
  readonly limits?: SizeLimits
  /** How often a connection is tried that is at rest. Ruby's server drops who pings more often than every 10 s. */
  readonly keepaliveMs?: number
}

type ClientSettings = GrpcSettings & {
  /** How long the answer to such a try may take. */
  readonly pongMs?: number
  readonly lookup?: Lookup
}

class Grpc implements OpenTransport {
  readonly #pool: Pool
  readonly #limits: SizeLimits
  readonly #service: Service = readService()

  constructor(pool: Pool, limits: SizeLimits) {
    this.#pool = pool
    this.#limits = limits
  }

  connect(call: ConnectCall, signal: AbortSignal, deadline?: number): Promise<ConnectReply> {
    return this.#ask(this.#service.connect, call, signal, deadline)
  }

  command(call: CommandCall, signal: AbortSignal, deadline?: number): Promise<CommandReply> {
    return this.#ask(this.#service.command, call, signal, deadline)
  }

  disconnect(call: DisconnectCall, signal: AbortSignal, deadline?: number): Promise<void> {
    return this.#ask(this.#service.disconnect, call, signal, deadline)
  }

  isConnected(): boolean {
    return this.#pool.next() !== null
  }

  problem(withinMs: number): Promise<RpcError | null> {
    return this.#pool.problem(Date.now() + withinMs)
  }

  close(): Promise<void> {
    this.#pool.close()
    return Promise.resolve()
  }

  async #ask<Call extends { readonly sid: string }, Reply>(
    { path, bytesOf, replyOf }: Method<Call, Reply>,
    call: Call,
    signal: AbortSignal,
    deadline = Infinity,
  ): Promise<Reply> {
    checkAborted(signal)
    const bytes = bytesOf(call)
    checkSize(bytes.length, this.#limits)
    const ask = { path, sid: call.sid, message: framed(bytes), deadline, maxReceived: this.#limits.received }
    for (let mayRepeat = true; ; mayRepeat = false) {
      const link = this.#pool.next() ?? (await this.#pool.link(deadline))
      checkAborted(signal)
      try {
        return replyOf(await link.call(ask))
      } catch (error) {
        if (!mayRepeat || !wasRefused(error)) throw error
      }
    }
  }
}

/**
 * Connects to each address at once, and again after each loss. Does not wait for it.
 *
 * @param host  `host:port`, `dns:///host:port`, or `grpc-list://host:port,host:port`
 */
export function openGrpc(host: string, settings: ClientSettings = {}): OpenTransport {
  const { trust = null, limits = defaultLimits, keepaliveMs = 30_000, pongMs = 20_000 } = settings
  const open = (name: HostPort, changed: () => void): Host =>
    new Host({ name, trust, keepaliveMs, pongMs }, settings.lookup ?? lookup, changed)
  const names = host
    .replace(/^(grpc-list:\/\/|dns:\/\/\/)/, '')
    .split(',')
    .map(hostPort)
  return new Grpc(new Pool(changed => names.map(name => open(name, changed))), limits)
}

function checkAborted({ aborted }: AbortSignal): void {
  if (aborted) throw new RpcError('aborted', 'notRun', 'the session ended first')
}

/** On a connection that was about to end: the call is made again on the next, once. */
function wasRefused(error: unknown): boolean {
  return error instanceof RpcError && error.code === 'unavailable' && error.outcome === 'notRun'
}
