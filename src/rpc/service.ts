/**
 * The calls of `protos/rpc.proto` as bytes, whichever client carries them. The only import of @grpc/proto-loader.
 */
import { fileURLToPath } from 'node:url'
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader'
import {
  RpcError,
  type CommandCall,
  type CommandReply,
  type ConnectCall,
  type ConnectReply,
  type DisconnectCall,
} from '../cable/rpc.ts'
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
  type Message,
} from './messages.ts'
import { refusalOf, type OpenTransport, type SizeLimits } from './transport.ts'

type Method<Call, Reply> = {
  readonly path: string
  readonly bytesOf: (call: Call) => Buffer
  /** @throws RpcError where the bytes are no such message, and for the status ERROR */
  readonly replyOf: (bytes: Buffer) => Reply
}

type Service = {
  readonly connect: Method<ConnectCall, ConnectReply>
  readonly command: Method<CommandCall, CommandReply>
  readonly disconnect: Method<DisconnectCall, void>
}

/** A call as it is sent. */
export type Ask = {
  readonly path: string
  readonly sid: string
  readonly bytes: Buffer
  /** As `Date` counts; `Infinity`: none. */
  readonly deadline: number
}

/** A client: it connects, and carries bytes there and back. */
export interface Carrier {
  /** Waits for a connection, if there is none. Rejects as a `Transport` does, and with what `replyOf` throws. */
  send<Reply>(ask: Ask, replyOf: (bytes: Buffer) => Reply, signal: AbortSignal): Promise<Reply>
  /** These as an `OpenTransport` has them. */
  isConnected(): boolean
  problem(withinMs: number): Promise<RpcError | null>
  close(): void
}

export class GrpcCalls implements OpenTransport {
  readonly #carrier: Carrier
  readonly #limits: SizeLimits
  readonly #service: Service = readService()

  constructor(carrier: Carrier, limits: SizeLimits) {
    this.#carrier = carrier
    this.#limits = limits
  }

  connect(call: ConnectCall, signal: AbortSignal, deadline?: number): Promise<ConnectReply> {
    return this.#send(this.#service.connect, call, signal, deadline)
  }

  command(call: CommandCall, signal: AbortSignal, deadline?: number): Promise<CommandReply> {
    return this.#send(this.#service.command, call, signal, deadline)
  }

  disconnect(call: DisconnectCall, signal: AbortSignal, deadline?: number): Promise<void> {
    return this.#send(this.#service.disconnect, call, signal, deadline)
  }

  isConnected(): boolean {
    return this.#carrier.isConnected()
  }

  problem(withinMs: number): Promise<RpcError | null> {
    return this.#carrier.problem(withinMs)
  }

  close(): Promise<void> {
    this.#carrier.close()
    return Promise.resolve()
  }

  #send<Call extends { readonly sid: string }, Reply>(
    { path, bytesOf, replyOf }: Method<Call, Reply>,
    call: Call,
    signal: AbortSignal,
    deadline = Infinity,
  ): Promise<Reply> {
    const bytes = bytesOf(call)
    const refusal = refusalOf(bytes.length, signal, this.#limits)
    if (refusal !== null) return Promise.reject(refusal)
    return this.#carrier.send({ path, sid: call.sid, bytes, deadline }, replyOf, signal)
  }
}

function readService(): Service {
  const file = fileURLToPath(new URL('../../protos/rpc.proto', import.meta.url))
  const proto = loadSync(file, { keepCase: true, enums: String, defaults: true })['anycable.RPC'] as ServiceDefinition
  return {
    connect: methodOf(proto, 'Connect', connectionRequest, said => connectReply(said as ConnectionResponse)),
    command: methodOf(proto, 'Command', commandMessage, said => commandReply(said as CommandResponse)),
    disconnect: methodOf(proto, 'Disconnect', disconnectRequest, said => disconnectReply(said as DisconnectResponse)),
  }
}

function methodOf<Call, Reply>(
  proto: ServiceDefinition,
  name: string,
  messageOf: (call: Call) => Message,
  replyOf: (response: object) => Reply,
): Method<Call, Reply> {
  const definition = proto[name]
  if (definition === undefined) throw new Error(`rpc.proto has no method ${name}`)
  const { path, requestSerialize, responseDeserialize } = definition
  return {
    path,
    bytesOf: call => requestSerialize(messageOf(call)),
    replyOf: bytes => replyOf(responseFrom(bytes, responseDeserialize)),
  }
}

function responseFrom(bytes: Buffer, deserialize: (bytes: Buffer) => object): object {
  try {
    return deserialize(bytes)
  } catch (cause) {
    throw new RpcError('application', 'ran', 'the reply is no message of rpc.proto', { cause })
  }
}
