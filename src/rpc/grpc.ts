/**
 * The app over gRPC. The only import of @grpc/grpc-js and @grpc/proto-loader.
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
import type { Transport } from './transport.ts'

const channelOptions: ChannelOptions = {
  'grpc.service_config': '{"loadBalancingConfig":[{"round_robin":{}}]}',
  'grpc.service_config_disable_resolution': 1,
  // Ruby's server drops a client that pings more often than every 10 s.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_permit_without_calls': 1,
  // An app that was restarted is found within a second, under a new address too.
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.dns_min_time_between_resolutions_ms': 1_000,
  // A quiet fleet is no reason to disconnect, and to look unready.
  'grpc.client_idle_timeout_ms': 2 ** 31 - 1,
  // The app is next door: an http_proxy in the environment is not for it.
  'grpc.enable_http_proxy': 0,
}

const nothing: Buffer = Buffer.alloc(0)

type Method<Response> = MethodDefinition<object, Response>

class Grpc implements Transport {
  readonly #channel: Channel
  readonly #connect: Method<ConnectionResponse>
  readonly #command: Method<CommandResponse>
  readonly #disconnect: Method<DisconnectResponse>

  constructor(channel: Channel) {
    this.#channel = channel
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

  /** Whether a call could be sent now. */
  isConnected(): boolean {
    return this.#wake() === connectivityState.READY
  }

  async ready(withinMs: number): Promise<boolean> {
    const deadline = Date.now() + withinMs
    while (!this.isConnected()) {
      if (!(await this.#stateChange(deadline))) return false
    }
    return true
  }

  /** Calls that wait for a connection fail at once; those on the wire run to their end. */
  close(): Promise<void> {
    this.#channel.close()
    return Promise.resolve()
  }

  /** Has a channel that is at rest connect. A closed one must not be asked to: it would, and stay open. */
  #wake(): connectivityState {
    const state = this.#channel.getConnectivityState(false)
    return state === connectivityState.SHUTDOWN ? state : this.#channel.getConnectivityState(true)
  }

  /** `false` where there is none until then, or none any more. */
  #stateChange(deadline: number): Promise<boolean> {
    const state = this.#wake()
    if (state === connectivityState.SHUTDOWN) return Promise.resolve(false)
    return new Promise(resolve => {
      this.#channel.watchConnectivityState(state, deadline, error => resolve(error === undefined))
    })
  }

  #ask<Response>(
    method: Method<Response>,
    message: object,
    sid: string,
    signal: AbortSignal,
    deadline = Infinity,
  ): Promise<Response> {
    if (signal.aborted) return Promise.reject(new RpcError('aborted', 'notRun', 'the session ended first'))
    if (this.#channel.getConnectivityState(false) === connectivityState.SHUTDOWN) {
      return Promise.reject(new RpcError('unavailable', 'notRun', 'the connection to the app is closed'))
    }
    return unary(this.#channel, method, message, sid, deadline)
  }
}

/**
 * Opens a channel to the app. It connects when it is first asked anything, and by itself after each loss.
 *
 * @param host  `host:port` or `dns:///host:port`; calls are spread over all addresses of the name
 * @throws      where `host` names another scheme
 */
export function openGrpc(host: string): Grpc {
  const scheme = /^([a-z][a-z\d+.-]*):\//i.exec(host)?.[1]
  if (scheme !== undefined && scheme !== 'dns') {
    throw new Error(`rpc_host: ${host} cannot be reached: write host:port, or dns:///host:port`)
  }
  return new Grpc(new Channel(host, credentials.createInsecure(), channelOptions))
}

function readService(): ServiceDefinition {
  const file = fileURLToPath(new URL('../../protos/rpc.proto', import.meta.url))
  return loadSync(file, { keepCase: true, enums: String, defaults: true })['anycable.RPC'] as ServiceDefinition
}

function unary<Response>(
  channel: Channel,
  method: Method<Response>,
  message: object,
  sid: string,
  deadline: number,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const metadata = new Metadata()
    metadata.set('sid', sid)
    metadata.set('protov', 'v1')
    const call = channel.createCall(method.path, deadline, null, null, null)
    let reply = nothing
    call.start(metadata, {
      onReceiveMetadata: () => undefined,
      onReceiveMessage: (bytes: Buffer) => (reply = bytes),
      onReceiveStatus: ended => {
        if (ended.code !== status.OK) return reject(rpcErrorFor(ended))
        try {
          resolve(method.responseDeserialize(reply))
        } catch (error) {
          reject(new RpcError('application', 'ran', 'the reply is no message of rpc.proto', { cause: error }))
        }
      },
    })
    call.startRead()
    call.sendMessageWithContext({}, method.requestSerialize(message))
    call.halfClose()
  })
}
