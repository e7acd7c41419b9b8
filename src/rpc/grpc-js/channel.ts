/**
 * The app over gRPC by grpc-js: at one address, at all addresses of a name, or at each name of a list. The only import
 * of @grpc/grpc-js.
 *
 * Calls go to its `Channel`: its `Client` adds an emitter, an interceptor chain and a stack trace to each call, a
 * quarter of the call's cost.
 */
import {
  Channel as GrpcJsChannel,
  connectivityState,
  credentials,
  Metadata,
  status,
  type ChannelCredentials,
  type ChannelOptions,
} from '@grpc/grpc-js'
import { RpcError } from '../../cable/rpc.ts'
import { GrpcClient, prefixBytes, type Channel, type Request } from '../grpc/client.ts'
import { backoffMs, grpcDefaults, type GrpcSettings } from '../grpc/settings.ts'
import { protov } from '../messages.ts'
import { aborted, closed, type OpenTransport } from '../transport.ts'
import type { Trust } from '../trust.ts'
import { rpcErrorForGrpcJs } from './status.ts'

const channelOptions: ChannelOptions = {
  'grpc.service_config': '{"loadBalancingConfig":[{"round_robin":{}}]}',
  'grpc.service_config_disable_resolution': 1,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': backoffMs.initial,
  'grpc.max_reconnect_backoff_ms': backoffMs.max,
  'grpc.dns_min_time_between_resolutions_ms': backoffMs.lookup,
  // Stays connected while no station calls, so that the bridge stays ready.
  'grpc.client_idle_timeout_ms': 2 ** 31 - 1,
  // Nobody reads the channel's statistics, which cost a tenth of a call.
  'grpc.enable_channelz': 0,
  // The app is on the same network: an http_proxy in the environment is not for it.
  'grpc.enable_http_proxy': 0,
}

const empty: Buffer = Buffer.alloc(0)
const never = new AbortController().signal

/** Calls the channels of a list round robin. A single channel does so itself with the addresses of its name. */
class GrpcJsChannels implements Channel {
  readonly #channels: readonly [GrpcJsChannel, ...GrpcJsChannel[]]
  /** Calls without a reply; each is aborted by its function. */
  readonly #calls = new Set<() => void>()
  #last = 0

  constructor(channels: readonly [GrpcJsChannel, ...GrpcJsChannel[]]) {
    this.#channels = channels
  }

  /**
   * On a single channel that is not connected, a call waits inside grpc-js, which sends it even if its session ends
   * meanwhile.
   */
  async send<Reply>(request: Request<Reply>): Promise<Reply> {
    const channel = this.#next() ?? (await this.#waitForReady(request))
    if (request.signal.aborted) throw aborted()
    if (isClosed(channel)) throw closed()
    return request.deserialize(await unary(channel, request, this.#calls))
  }

  isConnected(): boolean {
    return this.#channels.map(connect).includes(connectivityState.READY)
  }

  async problem(withinMs: number): Promise<RpcError | null> {
    const deadline = performance.now() + withinMs
    while (!this.isConnected()) {
      if (!(await this.#stateChange(deadline))) return connectionProblem(this.#next() ?? this.#channels[0])
    }
    return null
  }

  abort(): void {
    for (const abort of this.#calls) abort()
  }

  close(): void {
    for (const channel of this.#channels) channel.close()
  }

  /**
   * The next channel that is connected. Where none can be connected soon, any of them: its call fails with the reason.
   * `null` where one may be soon.
   */
  #next(): GrpcJsChannel | null {
    const channels = this.#channels
    if (channels.length === 1) return channels[0]
    this.#last = (this.#last + 1) % channels.length
    const inOrder = [...channels.slice(this.#last), ...channels.slice(0, this.#last)]
    const states = inOrder.map(connect)
    const ready = inOrder[states.indexOf(connectivityState.READY)]
    const isHopeless = states.every(state => hopeless.includes(state))
    return ready ?? (isHopeless ? (channels[this.#last] ?? null) : null)
  }

  /** Rejects when it is aborted. At the deadline it resolves with any channel, whose call fails with the reason. */
  async #waitForReady({ deadline }: Request<unknown>): Promise<GrpcJsChannel> {
    let abort: () => void = () => undefined
    const isAborted = new Promise<never>((_, reject) => (abort = () => reject(aborted())))
    this.#calls.add(abort)
    try {
      while (await Promise.race([this.#stateChange(deadline), isAborted])) {
        const channel = this.#next()
        if (channel !== null) return channel
      }
      return this.#channels[0]
    } finally {
      this.#calls.delete(abort)
    }
  }

  /** `false` where no state changes by the deadline, or can change any more. */
  #stateChange(deadline: number): Promise<boolean> {
    return Promise.race(this.#channels.map(channel => stateChange(channel, deadline)))
  }
}

const hopeless = [connectivityState.TRANSIENT_FAILURE, connectivityState.SHUTDOWN]

/**
 * Opens a channel to each name. A channel connects when it is first used, and again after each loss.
 *
 * @param target  `host:port`, `dns:///host:port`, or `grpc-list://host:port,host:port`
 */
export function openGrpcJs(target: string, settings: GrpcSettings = {}): OpenTransport {
  const { trust, limits, keepaliveMs } = { ...grpcDefaults, ...settings }
  const options = {
    ...channelOptions,
    'grpc.keepalive_time_ms': keepaliveMs,
    'grpc.max_receive_message_length': limits.received,
  }
  const open = (name: string): GrpcJsChannel => new GrpcJsChannel(name, credentialsOf(trust), options)
  const [first = '', ...others] = target.replace(/^grpc-list:\/\//, '').split(',')
  return new GrpcClient(new GrpcJsChannels([open(first), ...others.map(open)]), limits)
}

function credentialsOf(trust: Trust | null): ChannelCredentials {
  if (trust === null) return credentials.createInsecure()
  const ca = trust.ca === null ? null : Buffer.from(trust.ca)
  return credentials.createSsl(ca, null, null, { rejectUnauthorized: trust.verify })
}

function isClosed(channel: GrpcJsChannel): boolean {
  return channel.getConnectivityState(false) === connectivityState.SHUTDOWN
}

function isReady(channel: GrpcJsChannel): boolean {
  return channel.getConnectivityState(false) === connectivityState.READY
}

/** Has an unconnected channel connect. Not a closed one: it would, and stay open. */
function connect(channel: GrpcJsChannel): connectivityState {
  const state = channel.getConnectivityState(false)
  const isIdle = state === connectivityState.IDLE || state === connectivityState.TRANSIENT_FAILURE
  return isIdle ? channel.getConnectivityState(true) : state
}

function stateChange(channel: GrpcJsChannel, deadline: number): Promise<boolean> {
  const state = connect(channel)
  if (state === connectivityState.SHUTDOWN) return Promise.resolve(false)
  return new Promise(resolve => {
    channel.watchConnectivityState(state, wallClock(deadline), error => resolve(error === undefined))
  })
}

/** grpc-js takes deadlines in ms since the epoch. */
function wallClock(deadline: number): number {
  return Date.now() + deadline - performance.now()
}

/** A channel tells only its calls why it has no connection. This call is harmless should there be one by now. */
async function connectionProblem(channel: GrpcJsChannel): Promise<RpcError | null> {
  if (isClosed(channel)) return closed()
  const deadline = performance.now() + 100
  const path = '/grpc.health.v1.Health/Check'
  const request = { path, sid: '', trace: {}, bytes: empty, deserialize: () => null, signal: never, deadline }
  return unary(channel, request, new Set()).then(
    () => null,
    (error: unknown) => (error instanceof RpcError && error.outcome !== 'ran' ? error : null),
  )
}

function unary(
  channel: GrpcJsChannel,
  { path, sid, trace = {}, bytes, deadline }: Request<unknown>,
  calls: Set<() => void>,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const metadata = new Metadata()
    metadata.set('sid', sid)
    metadata.set('protov', protov)
    for (const [name, value] of Object.entries(trace)) metadata.set(name, value)
    const call = channel.createCall(path, wallClock(deadline), null, null, null)
    const wasReady = isReady(channel)
    let reply = empty
    const abort = (): void => {
      // grpc-js does not tell whether a call has a stream; it has none without a connection.
      reject(aborted(wasReady || isReady(channel) ? 'unknown' : 'notRun'))
      call.cancelWithStatus(status.CANCELLED, 'aborted')
    }
    calls.add(abort)
    call.start(metadata, {
      onReceiveMetadata: () => undefined,
      onReceiveMessage: (message: Buffer) => (reply = message),
      onReceiveStatus: ended => {
        calls.delete(abort)
        if (ended.code === status.OK) resolve(reply)
        else reject(rpcErrorForGrpcJs(ended))
      },
    })
    call.startRead()
    call.sendMessageWithContext({}, bytes.subarray(prefixBytes))
    call.halfClose()
  })
}
