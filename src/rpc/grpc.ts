/**
 * The app over gRPC, at one address, at all of a name, or at each of a list. The only import of @grpc/grpc-js and
 * @grpc/proto-loader.
 *
 * Calls go to the channel itself: grpc-js's `Client` would add an emitter, an interceptor chain and a stack trace to
 * each, a fourth of a call's cost.
 */
import { fileURLToPath } from 'node:url'
import {
  Channel,
  connectivityState,
  credentials,
  Metadata,
  status,
  type ChannelCredentials,
  type ChannelOptions,
  type MethodDefinition,
} from '@grpc/grpc-js'
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader'
import {
  RpcError,
  type CommandCall,
  type CommandReply,
  type ConnectCall,
  type ConnectReply,
  type DisconnectCall,
} from '../cable/rpc.ts'
import { rpcErrorFor } from './grpc-status.ts'
import {
  commandMessage,
  commandReply,
  connectionRequest,
  connectReply,
  disconnectReply,
  disconnectRequest,
  type CommandResponse,
  type ConnectionResponse,
  type DisconnectResponse,
} from './messages.ts'
import { checkSize, defaultLimits, type OpenTransport, type SizeLimits } from './transport.ts'
import type { Trust } from './trust.ts'

type GrpcSettings = {
  /** `null`: without TLS. */
  readonly trust?: Trust | null
  readonly limits?: SizeLimits
  /** How often a connection is tried that is at rest. Ruby's server drops who pings more often than every 10 s. */
  readonly keepaliveMs?: number
}

const channelOptions: ChannelOptions = {
  'grpc.service_config': '{"loadBalancingConfig":[{"round_robin":{}}]}',
  'grpc.service_config_disable_resolution': 1,
  'grpc.keepalive_permit_without_calls': 1,
  // An app that was restarted is found within a second, under a new address too.
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.dns_min_time_between_resolutions_ms': 1_000,
  // A quiet fleet is no reason to disconnect, and to look unready.
  'grpc.client_idle_timeout_ms': 2 ** 31 - 1,
  // Nobody asks the channel for its statistics, which cost a tenth of a call.
  'grpc.enable_channelz': 0,
  // The app is next door: an http_proxy in the environment is not for it.
  'grpc.enable_http_proxy': 0,
}

const nothing: Buffer = Buffer.alloc(0)

type Method<Response> = MethodDefinition<object, Response>

/** Calls a list in turns. A single channel spreads its calls itself over the addresses of its name. */
class Grpc implements OpenTransport {
  readonly #channels: readonly [Channel, ...Channel[]]
  readonly #limits: SizeLimits
  readonly #connect: Method<ConnectionResponse>
  readonly #command: Method<CommandResponse>
  readonly #disconnect: Method<DisconnectResponse>
  #turn = 0

  constructor(channels: readonly [Channel, ...Channel[]], limits: SizeLimits) {
    this.#channels = channels
    this.#limits = limits
    const service = readService()
    this.#connect = service['Connect'] as Method<ConnectionResponse>
    this.#command = service['Command'] as Method<CommandResponse>
    this.#disconnect = service['Disconnect'] as Method<DisconnectResponse>
  }

  async connect(call: ConnectCall, signal: AbortSignal, deadline?: number): Promise<ConnectReply> {
    return connectReply(await this.#ask(this.#connect, connectionRequest(call), call.sid, signal, deadline))
  }

  async command(call: CommandCall, signal: AbortSignal, deadline?: number): Promise<CommandReply> {
    return commandReply(await this.#ask(this.#command, commandMessage(call), call.sid, signal, deadline))
  }

  async disconnect(call: DisconnectCall, signal: AbortSignal, deadline?: number): Promise<void> {
    disconnectReply(await this.#ask(this.#disconnect, disconnectRequest(call), call.sid, signal, deadline))
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

  close(): Promise<void> {
    for (const channel of this.#channels) channel.close()
    return Promise.resolve()
  }

  async #ask<Response>(
    method: Method<Response>,
    message: object,
    sid: string,
    signal: AbortSignal,
    deadline = Infinity,
  ): Promise<Response> {
    if (signal.aborted) throw new RpcError('aborted', 'notRun', 'the session ended first')
    const bytes = method.requestSerialize(message)
    checkSize(bytes.length, this.#limits)
    const channel = this.#next() ?? (await this.#firstReady(deadline))
    if (isClosed(channel)) throw new RpcError('unavailable', 'notRun', 'the connection to the app is closed')
    const reply = await unary(channel, { path: method.path, bytes, sid, deadline })
    try {
      return method.responseDeserialize(reply)
    } catch (cause) {
      throw new RpcError('application', 'ran', 'the reply is no message of rpc.proto', { cause })
    }
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
export function openGrpc(
  host: string,
  { trust = null, limits = defaultLimits, keepaliveMs = 30_000 }: GrpcSettings = {},
): OpenTransport {
  const options = {
    ...channelOptions,
    'grpc.keepalive_time_ms': keepaliveMs,
    'grpc.max_receive_message_length': limits.received,
  }
  const open = (target: string): Channel => new Channel(target, credentialsOf(trust), options)
  const [first = '', ...others] = host.replace(/^grpc-list:\/\//, '').split(',')
  return new Grpc([open(first), ...others.map(open)], limits)
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
  if (isClosed(channel)) return new RpcError('unavailable', 'notRun', 'the connection to the app is closed')
  const ask = { path: '/grpc.health.v1.Health/Check', bytes: nothing, sid: '', deadline: Date.now() + 100 }
  return unary(channel, ask).then(
    () => null,
    (error: unknown) => (error instanceof RpcError && error.outcome !== 'ran' ? error : null),
  )
}

function readService(): ServiceDefinition {
  const file = fileURLToPath(new URL('../../protos/rpc.proto', import.meta.url))
  return loadSync(file, { keepCase: true, enums: String, defaults: true })['anycable.RPC'] as ServiceDefinition
}

type Ask = { readonly path: string; readonly bytes: Buffer; readonly sid: string; readonly deadline: number }

function unary(channel: Channel, { path, bytes, sid, deadline }: Ask): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const metadata = new Metadata()
    metadata.set('sid', sid)
    metadata.set('protov', 'v1')
    const call = channel.createCall(path, deadline, null, null, null)
    let reply = nothing
    call.start(metadata, {
      onReceiveMetadata: () => undefined,
      onReceiveMessage: (message: Buffer) => (reply = message),
      onReceiveStatus: ended => {
        if (ended.code === status.OK) resolve(reply)
        else reject(rpcErrorFor(ended))
      },
    })
    call.startRead()
    call.sendMessageWithContext({}, bytes)
    call.halfClose()
  })
}
