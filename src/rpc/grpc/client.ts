/**
 * The app over gRPC: makes the calls of `protos/rpc.proto` on a channel, our own or that of grpc-js.
 */
import type { CommandCall, CommandReply, ConnectCall, ConnectReply, DisconnectCall, RpcError } from '../../cable/rpc.ts'
import { readService, type Method, type Service } from '../codec.ts'
import { aborted, tooLarge, type OpenTransport, type SizeLimits } from '../transport.ts'

/** A unary call, as a channel sends it. */
export type Request<Reply> = {
  readonly path: string
  /** Metadata. */
  readonly sid: string
  readonly bytes: Buffer
  /** As in `Method`. */
  readonly deserialize: (bytes: Buffer) => Reply
  /** As in `Transport`. */
  readonly signal: AbortSignal
  /** In ms of `performance.now()`; `Infinity` for none. */
  readonly deadline: number
}

/** Connects to the app, and carries bytes there and back. */
export interface Channel {
  /** Waits for a connection if there is none. Rejects as a `Transport` does. */
  send<Reply>(request: Request<Reply>): Promise<Reply>
  /** The others are as in `OpenTransport`. */
  isConnected(): boolean
  problem(withinMs: number): Promise<RpcError | null>
  abort(): void
  close(): void
}

export class GrpcClient implements OpenTransport {
  readonly #channel: Channel
  readonly #limits: SizeLimits
  readonly #service: Service = readService()
  #isAborted = false

  constructor(channel: Channel, limits: SizeLimits) {
    this.#channel = channel
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
    return this.#channel.isConnected()
  }

  problem(withinMs: number): Promise<RpcError | null> {
    return this.#channel.problem(withinMs)
  }

  abort(): void {
    this.#isAborted = true
    this.#channel.abort()
  }

  close(): Promise<void> {
    this.#channel.close()
    return Promise.resolve()
  }

  #send<Call extends { readonly sid: string }, Reply>(
    { path, serialize, deserialize }: Method<Call, Reply>,
    call: Call,
    signal: AbortSignal,
    deadline = Infinity,
  ): Promise<Reply> {
    if (signal.aborted || this.#isAborted) return Promise.reject(aborted())
    const bytes = serialize(call)
    if (bytes.length > this.#limits.sent) return Promise.reject(tooLarge(bytes.length, this.#limits))
    return this.#channel.send({ path, sid: call.sid, bytes, deserialize, signal, deadline })
  }
}
