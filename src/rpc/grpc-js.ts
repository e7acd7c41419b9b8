/**
 * The app over gRPC, by grpc-js: at one address, at all of a name, or at each of a list. The only import of @grpc/grpc-js.
 *
 * Calls go to the channel itself: grpc-js's `Client` would add an emitter, an interceptor chain and a stack trace to
 * each, a fourth of a call's cost.
 */
import {
  Channel,
  connectivityState,
  credentials,
  Metadata,
  status,
  type ChannelCredentials,
  type ChannelOptions,
} from '@grpc/grpc-js'
import { RpcError } from '../cable/rpc.ts'
import { grpcDefaults, pausesMs, type GrpcSettings } from './grpc-settings.ts'
import { rpcErrorForGrpcJs } from './grpc-js-status.ts'
import { protov } from './messages.ts'
import { GrpcCalls, type Ask, type Carrier } from './service.ts'
import { aborted, closed, type OpenTransport } from './transport.ts'
import type { Trust } from './trust.ts'

const channelOptions: ChannelOptions = {
  'grpc.service_config': '{"loadBalancingConfig":[{"round_robin":{}}]}',
  'grpc.service_config_disable_resolution': 1,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': pausesMs.first,
  'grpc.max_reconnect_backoff_ms': pausesMs.most,
  'grpc.dns_min_time_between_resolutions_ms': pausesMs.lookup,
  // A quiet fleet is no reason to disconnect, and to look unready.
  'grpc.client_idle_timeout_ms': 2 ** 31 - 1,
  // Nobody asks the channel for its statistics, which cost a tenth of a call.
  'grpc.enable_channelz': 0,
  // The app is next door: an http_proxy in the environment is not for it.
  'grpc.enable_http_proxy': 0,
}

const nothing: Buffer = Buffer.alloc(0)

/** Calls a list in turns. A single channel spreads its calls itself over the addresses of its name. */
class Channels implements Carrier {
  readonly #channels: readonly [Channel, ...Channel[]]
  #turn = 0

  constructor(channels: readonly [Channel, ...Channel[]]) {
    this.#channels = channels
  }

  /** A single channel that is not connected has the call wait inside grpc-js, where it is sent though its session ends. */
  async send<Reply>(ask: Ask, replyOf: (bytes: Buffer) => Reply, signal: AbortSignal): Promise<Reply> {
    const channel = this.#next() ?? (await this.#firstReady(ask.deadline))
    if (signal.aborted) throw aborted()
    if (isClosed(channel)) throw closed()
    return replyOf(await unary(channel, ask))
  }

  isConnected(): boolean {
    return this.#channels.map(wake).includes(connectivityState.READY)
  }

  async problem(withinMs: number): Promise<RpcError | null> {
    const deadline = Date.now() + withinMs
    while (!this.isConnected()) {
      if (!(await this.#stateChange(deadline))) return whyNot(this.#next() ?? this.#channels[0])
    }
    return null
  }

  close(): void {
    for (const channel of this.#channels) channel.close()
  }

  /** Whose turn it is among those that are connected. Where none can be soon: any, to say why. `null`: one may be soon. */
  #next(): Channel | null {
    const channels = this.#channels
    if (channels.length === 1) return channels[0]
    this.#turn = (this.#turn + 1) % channels.length
    const inTurn = [...channels.slice(this.#turn), ...channels.slice(0, this.#turn)]
    const states = inTurn.map(wake)
    const ready = inTurn[states.indexOf(connectivityState.READY)]
    const isHopeless = states.every(state => hopeless.includes(state))
    return ready ?? (isHopeless ? (channels[this.#turn] ?? null) : null)
  }

  /** Any, where there is none by the deadline: it tells why. */
  async #firstReady(deadline: number): Promise<Channel> {
    while (await this.#stateChange(deadline)) {
      const channel = this.#next()
      if (channel !== null) return channel
    }
    return this.#channels[0]
  }

  /** `false` where there is none until then, or none any more. */
  #stateChange(deadline: number): Promise<boolean> {
    return Promise.race(this.#channels.map(channel => stateChange(channel, deadline)))
  }
}

const hopeless = [connectivityState.TRANSIENT_FAILURE, connectivityState.SHUTDOWN]

/**
 * Opens a channel to each address. It connects when it is first asked anything, and by itself after each loss.
 *
 * @param host  `host:port`, `dns:///host:port`, or `grpc-list://host:port,host:port`
 */
export function openGrpcJs(host: string, settings: GrpcSettings = {}): OpenTransport {
  const { trust, limits, keepaliveMs } = { ...grpcDefaults, ...settings }
  const options = {
    ...channelOptions,
    'grpc.keepalive_time_ms': keepaliveMs,
    'grpc.max_receive_message_length': limits.received,
  }
  const open = (target: string): Channel => new Channel(target, credentialsOf(trust), options)
  const [first = '', ...others] = host.replace(/^grpc-list:\/\//, '').split(',')
  return new GrpcCalls(new Channels([open(first), ...others.map(open)]), limits)
}

function credentialsOf(trust: Trust | null): ChannelCredentials {
  if (trust === null) return credentials.createInsecure()
  const ca = trust.ca === null ? null : Buffer.from(trust.ca)
  return credentials.createSsl(ca, null, null, { rejectUnauthorized: trust.verify })
}

function isClosed(channel: Channel): boolean {
  return channel.getConnectivityState(false) === connectivityState.SHUTDOWN
}

/** Has a channel without a connection connect. A closed one must not be asked to: it would, and stay open. */
function wake(channel: Channel): connectivityState {
  const state = channel.getConnectivityState(false)
  const isAsleep = state === connectivityState.IDLE || state === connectivityState.TRANSIENT_FAILURE
  return isAsleep ? channel.getConnectivityState(true) : state
}

function stateChange(channel: Channel, deadline: number): Promise<boolean> {
  const state = wake(channel)
  if (state === connectivityState.SHUTDOWN) return Promise.resolve(false)
  return new Promise(resolve => {
    channel.watchConnectivityState(state, deadline, error => resolve(error === undefined))
  })
}

/** A channel tells only calls why it has no connection. This one is harmless, should there be one by now. */
async function whyNot(channel: Channel): Promise<RpcError | null> {
  if (isClosed(channel)) return closed()
  const ask = { path: '/grpc.health.v1.Health/Check', bytes: nothing, sid: '', deadline: Date.now() + 100 }
  return unary(channel, ask).then(
    () => null,
    (error: unknown) => (error instanceof RpcError && error.outcome !== 'ran' ? error : null),
  )
}

function unary(channel: Channel, { path, bytes, sid, deadline }: Ask): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const metadata = new Metadata()
    metadata.set('sid', sid)
    metadata.set('protov', protov)
    const call = channel.createCall(path, deadline, null, null, null)
    let reply = nothing
    call.start(metadata, {
      onReceiveMetadata: () => undefined,
      onReceiveMessage: (message: Buffer) => (reply = message),
      onReceiveStatus: ended => {
        if (ended.code === status.OK) resolve(reply)
        else reject(rpcErrorForGrpcJs(ended))
      },
    })
    call.startRead()
    call.sendMessageWithContext({}, bytes)
    call.halfClose()
  })
}
