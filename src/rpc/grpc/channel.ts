/**
 * The app over gRPC by a client of our own on `http2/`: at one address, at all addresses of a name, or at each name
 * of a list. Calls go round robin over all connections, and wait here while there is none.
 */
import dns from 'node:dns/promises'
import { RpcError } from '../../cable/rpc.ts'
import type { Connection } from '../../http2/connection.ts'
import { closed, type OpenTransport, type SizeLimits } from '../transport.ts'
import { Call, type CallOwner, type OpenCall } from './call.ts'
import { GrpcClient, type Channel, type Request } from './client.ts'
import { Resolver, type Lookup } from './resolver.ts'
import { grpcDefaults, type GrpcSettings } from './settings.ts'

type ChannelSettings = GrpcSettings & {
  /** How long the answer to a ping may take. */
  readonly pongMs?: number
  readonly lookup?: Lookup
}

const defaults = { ...grpcDefaults, pongMs: 20_000, lookup: dns.lookup }

/**
 * Connects to each address at once, and again after each loss. Does not wait for it.
 *
 * @param target  `host:port`, `dns:///host:port`, or `grpc-list://host:port,host:port`
 */
export function openGrpc(target: string, settings: ChannelSettings = {}): OpenTransport {
  const { limits, lookup, ...others } = { ...defaults, ...settings }
  const names = target.replace(/^(grpc-list:\/\/|dns:\/\/\/)/, '').split(',')
  const open = (onChange: () => void): readonly Resolver[] =>
    names.map(name => new Resolver({ ...others, ...hostPort(name) }, lookup, onChange))
  return new GrpcClient(new GrpcChannel(open, limits), limits)
}

/** An IPv6 address is in brackets. */
function hostPort(authority: string): { readonly host: string; readonly port: number } {
  const colon = authority.lastIndexOf(':')
  return { host: authority.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(authority.slice(colon + 1)) }
}

class GrpcChannel implements Channel, CallOwner {
  readonly calls = new Set<OpenCall>()
  readonly maxReceived: number
  readonly #resolvers: readonly Resolver[]
  /** Called at the next change of a connection. */
  readonly #watchers = new Set<() => void>()
  #connections: readonly Connection[] = []
  #last = 0
  #isClosed = false
  /** One for all calls, at the earliest deadline or before it. */
  #timer: NodeJS.Timeout | undefined
  #timerAt = Infinity

  /** @param open  makes the resolvers, which report each change of a connection */
  constructor(open: (onChange: () => void) => readonly Resolver[], { received }: SizeLimits) {
    this.maxReceived = received
    this.#resolvers = open(() => this.#onChange())
  }

  send<Reply>(request: Request<Reply>): Promise<Reply> {
    if (request.deadline < this.#timerAt) this.#setTimer(request.deadline)
    return new Promise((resolve, reject) => this.place(new Call(request, this, resolve, reject)))
  }

  /** Round robin. */
  place(call: OpenCall): void {
    const { length } = this.#connections
    for (let tries = 0; tries < length; tries++) {
      this.#last = (this.#last + 1) % length
      const connection = this.#connections[this.#last]
      if (connection?.isOpen !== true) continue
      call.connection = connection
      return connection.open(call)
    }
    if (this.#isClosed) call.fail(closed())
    else if (!this.#resolvers.some(({ isHopeful }) => isHopeful)) call.fail(this.#noConnection())
  }

  noConnectionInTime(): RpcError {
    const problem = this.#problem()
    return new RpcError('timeout', 'notRun', `gRPC: no connection in time${problem === null ? '' : `: ${problem}`}`)
  }

  isConnected(): boolean {
    return this.#connections.some(({ isOpen }) => isOpen)
  }

  async problem(withinMs: number): Promise<RpcError | null> {
    const deadline = performance.now() + withinMs
    while (!this.isConnected()) {
      if (this.#isClosed) return closed()
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) return this.#problem() === null ? this.noConnectionInTime() : this.#noConnection()
      await this.#nextChange(leftMs)
    }
    return null
  }

  abort(): void {
    for (const call of this.calls) call.abort()
  }

  close(): void {
    this.#isClosed = true
    this.#connections = []
    for (const resolver of this.#resolvers) resolver.close()
    this.#onChange()
  }

  readonly #onTimer = (): void => {
    this.#timerAt = Infinity
    const now = performance.now()
    for (const call of this.calls) if (call.deadline <= now) call.onDeadline()
    let earliest = Infinity
    for (const { deadline } of this.calls) earliest = Math.min(earliest, deadline)
    this.#setTimer(earliest)
  }

  /** Does not keep the process up: the calls' connections do, and the attempts at them. */
  #setTimer(deadline: number): void {
    if (deadline >= this.#timerAt) return
    clearTimeout(this.#timer)
    this.#timerAt = deadline
    this.#timer = setTimeout(this.#onTimer, Math.ceil(deadline - performance.now())).unref()
  }

  #onChange(): void {
    if (!this.#isClosed) this.#connections = this.#resolvers.flatMap(({ connections }) => connections)
    for (const call of this.calls) if (call.connection === null) this.place(call)
    for (const wake of this.#watchers) wake()
  }

  /** Resolves at the next change of a connection, or after so long. */
  #nextChange(withinMs: number): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#watchers.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, withinMs)
      this.#watchers.add(wake)
    })
  }

  #problem(): string | null {
    return this.#resolvers.map(({ problem }) => problem).find(problem => problem !== null) ?? null
  }

  #noConnection(): RpcError {
    const problem = this.#problem()
    return new RpcError('unavailable', 'notRun', `gRPC: No connection${problem === null ? '' : `: ${problem}`}`)
  }
}
