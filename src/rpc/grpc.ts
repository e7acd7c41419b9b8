/**
 * The app over gRPC: one attempt of a call. The only import of grpc-js and proto-loader.
 *
 * Source: AnyCable `etc/rpc.proto` and `rpc/rpc.go` (metadata `sid` and `protov`); the Ruby server answers ERROR to a
 * call without `protov`.
 */
import { Client, credentials, Metadata, status, type MethodDefinition, type ServiceError } from '@grpc/grpc-js'
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader'
import { fileURLToPath } from 'node:url'
import {
  RpcError,
  type CommandCall,
  type CommandReply,
  type ConnectCall,
  type ConnectReply,
  type DisconnectCall,
  type State,
  type StreamName,
} from '../cable/rpc.ts'
import type { Transport } from './guard.ts'

/** What a message may leave out, proto-loader fills in: a status that is missing is ERROR. */
type Answered = { readonly status: 'ERROR' | 'SUCCESS' | 'FAILURE'; readonly errorMsg: string }
type States = { readonly cstate: State; readonly istate: State } | null
type ConnectionResponse = Answered & {
  readonly identifiers: string
  readonly transmissions: string[]
  readonly env: States
}
type CommandResponse = Answered & {
  readonly disconnect: boolean
  readonly stopStreams: boolean
  readonly streams: StreamName[]
  readonly stoppedStreams: StreamName[]
  readonly transmissions: string[]
  readonly env: States
}

type Method<Response> = MethodDefinition<object, Response>

const protoFile = fileURLToPath(new URL('../../protos/rpc.proto', import.meta.url))

const channelOptions = {
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  // Ruby's server allows one every 10 s, and answers more with GOAWAY "too_many_pings".
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_permit_without_calls': 1,
  // A restarted app is found within a second of listening.
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 1_000,
}

/** Opens a channel; it connects by itself, and again after each loss. `host` is `host:port` or `dns:///host:port`. */
export function openGrpc(host: string): Transport & { close(): Promise<void> } {
  const client = new Client(host, credentials.createInsecure(), channelOptions)
  const service = loadSync(protoFile, { enums: String, defaults: true })['anycable.RPC'] as ServiceDefinition
  const connect = service['Connect'] as Method<ConnectionResponse>
  const command = service['Command'] as Method<CommandResponse>
  const disconnect = service['Disconnect'] as Method<Answered>

  function call<Response extends Answered>(
    method: Method<Response>,
    sid: string,
    request: object,
    deadline: number,
  ): Promise<Response> {
    const metadata = new Metadata()
    metadata.set('sid', sid)
    metadata.set('protov', 'v1')
    return new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = method
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        { deadline },
        (error, response) => {
          if (error !== null) reject(rpcErrorFor(error))
          else if (response === undefined || response.status === 'ERROR') reject(applicationError(response))
          else resolve(response)
        },
      )
    })
  }

  return {
    connect: async ({ sid, env }: ConnectCall, deadline) => connectReply(await call(connect, sid, { env }, deadline)),
    command: async ({ sid, ...message }: CommandCall, deadline) =>
      commandReply(await call(command, sid, message, deadline)),
    disconnect: async ({ sid, env, connectionIdentifiers, subscriptions }: DisconnectCall, deadline) => {
      await call(disconnect, sid, { env, identifiers: connectionIdentifiers, subscriptions }, deadline)
    },
    ready: withinMs =>
      new Promise(resolve => {
        client.waitForReady(Date.now() + withinMs, error => resolve(error === undefined))
      }),
    close: () => {
      client.close()
      return Promise.resolve()
    },
  }
}

function connectReply({ status, identifiers, transmissions, env }: ConnectionResponse): ConnectReply {
  if (status === 'FAILURE') return { status: 'failure', transmissions }
  return { status: 'success', connectionIdentifiers: identifiers, transmissions, cstate: env?.cstate ?? {} }
}

function commandReply({ env, stopStreams, ...response }: CommandResponse): CommandReply {
  return {
    status: response.status === 'SUCCESS' ? 'success' : 'failure',
    disconnect: response.disconnect,
    stopAllStreams: stopStreams,
    stoppedStreams: response.stoppedStreams,
    streams: response.streams,
    transmissions: response.transmissions,
    cstate: env?.cstate ?? {},
    istate: env?.istate ?? {},
  }
}

function applicationError(response: Answered | undefined): RpcError {
  return new RpcError('application', 'ran', response?.errorMsg ?? 'an empty reply')
}

/**
 * What grpc-js says, in our words. A call that found no connection was not sent; a server that refuses for want of a
 * thread has not run it; of one whose connection broke, nothing is known.
 */
function rpcErrorFor(error: ServiceError): RpcError {
  const { code, details } = error
  const cause = { cause: error }
  switch (code) {
    case status.UNAVAILABLE:
      return new RpcError(
        'unavailable',
        /^(?:No connection established|Name resolution failed)/.test(details) ? 'notRun' : 'unknown',
        details,
        cause,
      )
    case status.RESOURCE_EXHAUSTED:
      return new RpcError('exhausted', 'notRun', details, cause)
    case status.DEADLINE_EXCEEDED:
      return new RpcError(
        'timeout',
        /Waiting for LB pick|name resolution/i.test(details) ? 'notRun' : 'unknown',
        details,
        cause,
      )
    case status.CANCELLED:
    case status.INTERNAL:
    case status.UNKNOWN:
      return new RpcError('unavailable', 'unknown', details, cause)
    default:
      return new RpcError('application', 'notRun', details, cause)
  }
}
