/**
 * One unary call: waits for a connection, sends its message, and reads the reply and its status.
 *
 * Spec: gRPC over HTTP/2, "Requests", "Responses", "Length-Prefixed-Message"; AnyCable `rpc/rpc.go` for the metadata
 * `sid`.
 */
import { RpcError } from '../../cable/rpc.ts'
import type { Connection } from '../../http2/connection.ts'
import type { End, Exchange } from '../../http2/exchange.ts'
import type { Fields } from '../../http2/hpack.ts'
import { aborted } from '../transport.ts'
import { prefixBytes, type Request } from './client.ts'
import { decodeMessage, rpcErrorFor, rpcErrorForHttp, rpcErrorForReset } from './status.ts'

const nothing: Buffer = Buffer.alloc(0)

/** A call, as its channel uses it. */
export interface OpenCall extends Exchange {
  /** In ms of `performance.now()`; `Infinity` for none. */
  readonly deadline: number
  /** Written by the channel; `null` while the call waits for one. */
  connection: Connection | null
  fail(error: RpcError): void
  abort(): void
  onDeadline(): void
}

/** The channel, as its calls use it. */
export interface CallOwner {
  /** Those that have not settled. */
  readonly calls: Set<OpenCall>
  /** Of a reply's message, in bytes. */
  readonly maxReceived: number
  /** Sends a call that has no connection, now or once there is one, or fails it. */
  place(call: OpenCall): void
  noConnectionInTime(): RpcError
}

/** Settles when its owner calls `onDeadline`. */
export class Call<Reply> implements OpenCall {
  readonly path: string
  readonly body: Buffer
  readonly deadline: number
  connection: Connection | null = null
  streamId = 0
  status = 0
  readonly #request: Request<Reply>
  readonly #owner: CallOwner
  readonly #resolve: (reply: Reply) => void
  readonly #reject: (error: unknown) => void
  /** The message with its prefix in the first `#receivedBytes`; the rest is room for more. */
  #received = nothing
  #receivedBytes = 0
  /** With its prefix; 0 until the prefix has come. */
  #messageBytes = 0
  #isCompressed = false
  #isSecondAttempt = false

  constructor(
    request: Request<Reply>,
    owner: CallOwner,
    resolve: (reply: Reply) => void,
    reject: (error: unknown) => void,
  ) {
    this.path = request.path
    this.body = request.bytes
    this.deadline = request.deadline
    this.#request = request
    this.#owner = owner
    this.#resolve = resolve
    this.#reject = reject
    owner.calls.add(this)
  }

  /** The timeout has eight digits at most, which hold the longest that an option allows. */
  open(): Fields | null {
    const { signal, sid, trace, deadline } = this.#request
    const leftMs = deadline - performance.now()
    if (signal.aborted || leftMs <= 0) {
      this.fail(signal.aborted ? aborted() : tooLateToSend())
      return null
    }
    const fields: [name: string, value: string][] = [['sid', sid]]
    if (leftMs < Infinity) fields.push(['grpc-timeout', `${Math.ceil(leftMs)}m`])
    if (trace !== undefined) fields.push(...Object.entries(trace))
    return fields
  }

  fail(error: unknown): void {
    if (this.#owner.calls.delete(this)) this.#reject(error)
  }

  abort(): void {
    this.#cancel(aborted(this.#outcomeSoFar))
  }

  onDeadline(): void {
    if (this.connection === null) return this.fail(this.#owner.noConnectionInTime())
    this.#cancel(new RpcError('timeout', this.#outcomeSoFar, 'Deadline exceeded: the app has not replied'))
  }

  /** Keeps no bytes beyond those of the one message. */
  onData(bytes: Buffer): void {
    const before = this.#receivedBytes
    this.#receivedBytes += bytes.length
    if (this.#isCompressed || (this.#messageBytes > 0 && this.#receivedBytes > this.#messageBytes)) return
    this.#received = before === 0 ? bytes : appended(this.#received, before, bytes)
    if (this.#messageBytes > 0 || this.#receivedBytes < prefixBytes) return
    this.#isCompressed = this.#received[0] !== 0
    if (this.#isCompressed) return void (this.#received = nothing)
    const length = this.#received.readUInt32BE(1)
    this.#messageBytes = prefixBytes + length
    if (length <= this.#owner.maxReceived) return
    this.#cancel(new RpcError('application', 'ran', `${length} bytes: the reply is larger than rpc_max_call_recv_size`))
  }

  onTrailers(fields: Fields): void {
    let status = ''
    for (const [name, value] of fields) if (name === 'grpc-status') status = value
    if (status === '') return this.onEnd({ kind: 'ended' })
    if (status !== '0') return this.fail(errorOf(status, fields))
    if (this.#messageBytes === 0 || this.#receivedBytes !== this.#messageBytes) return this.fail(this.#incomplete())
    const message = this.#received.subarray(prefixBytes, this.#messageBytes)
    if (!this.#owner.calls.delete(this)) return
    try {
      this.#resolve(this.#request.deserialize(message))
    } catch (error) {
      this.#reject(error)
    }
  }

  onEnd(end: End): void {
    switch (end.kind) {
      case 'refused':
        return this.#retry()
      case 'unsendable':
        return this.fail(new RpcError('application', 'notRun', 'the metadata is larger than the app accepts'))
      case 'lost':
        return this.fail(new RpcError('unavailable', 'unknown', `the connection was lost: ${end.reason}`))
      case 'malformed':
        return this.fail(new RpcError('unavailable', 'unknown', `the reply breaks HTTP/2: ${end.reason}`))
      case 'ended':
      case 'reset': {
        const isHttp = this.status !== 0 && this.status !== 200
        return this.fail(isHttp ? rpcErrorForHttp(this.status) : rpcErrorForReset(end.kind === 'reset' ? end.code : 0))
      }
    }
  }

  /** The app has not looked at the call, and never will: it is sent again, once, and at once. */
  #retry(): void {
    if (this.#isSecondAttempt)
      return this.fail(new RpcError('unavailable', 'notRun', 'the app took no more calls on this connection'))
    this.#isSecondAttempt = true
    this.connection = null
    this.streamId = 0
    this.#owner.place(this)
  }

  #incomplete(): RpcError {
    const what = this.#isCompressed ? 'compressed, although the request does not accept that' : 'not one whole message'
    return new RpcError('application', 'ran', `the reply is ${what}`)
  }

  get #outcomeSoFar(): RpcError['outcome'] {
    return this.streamId === 0 ? 'notRun' : 'unknown'
  }

  /** Fails, and has the app stop as well. */
  #cancel(error: RpcError): void {
    this.fail(error)
    this.connection?.cancel(this)
  }
}

/**
 * Adds bytes after the first `length` of a buffer, or of a copy twice as large as needed: a message in any number of
 * frames takes a small multiple of its bytes.
 */
function appended(to: Buffer, length: number, bytes: Buffer): Buffer {
  const end = length + bytes.length
  const result = end > to.length ? Buffer.allocUnsafe(2 * end) : to
  if (result !== to) to.copy(result, 0, 0, length)
  bytes.copy(result, length)
  return result
}

function errorOf(status: string, fields: Fields): RpcError {
  const code = /^\d+$/.test(status) ? Number(status) : 2
  const message = fields.find(([name]) => name === 'grpc-message')?.[1] ?? ''
  return rpcErrorFor({ code, details: decodeMessage(message) })
}

/** There is a connection: the bridge itself was too busy. */
function tooLateToSend(): RpcError {
  return new RpcError('timeout', 'notRun', 'Deadline exceeded before the call was sent', { isLocal: true })
}
