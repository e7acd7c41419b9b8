/**
 * One unary call: waits for a connection, opens a stream on it, sends its message, and reads the reply and its status.
 *
 * Spec: gRPC over HTTP/2, "Requests", "Responses", "Length-Prefixed-Message"; AnyCable `rpc/rpc.go` for the metadata
 * `sid` and `protov`.
 */
import { constants, type ClientHttp2Stream, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from 'node:http2'
import { RpcError } from '../../cable/rpc.ts'
import { protov } from '../messages.ts'
import { aborted } from '../transport.ts'
import type { Request } from './client.ts'
import type { Connection } from './connection.ts'
import { decodeMessage, rpcErrorFor, rpcErrorForHttp, rpcErrorForReset } from './status.ts'

const { NGHTTP2_CANCEL, NGHTTP2_REFUSED_STREAM } = constants

/** One byte for "compressed", four for the message's length. */
const prefixBytes = 5

/** A call, as its channel uses it. */
export interface OpenCall {
  /** Whether it has a stream. */
  readonly isSent: boolean
  start(connection: Connection): void
  fail(error: RpcError): void
  abort(): void
}

/** The channel, as its calls use it. */
export interface CallOwner {
  /** Starts a call that has no connection, now or once there is one, or fails it. */
  place(call: OpenCall): void
  onSettled(call: OpenCall): void
  noConnectionInTime(): RpcError
}

/** Settles by the request's deadline. */
export class Call<Reply> implements OpenCall {
  readonly #request: Request<Reply>
  readonly #owner: CallOwner
  readonly #resolve: (reply: Reply) => void
  readonly #reject: (error: unknown) => void
  readonly #timer: NodeJS.Timeout | undefined
  #connection: Connection | null = null
  #stream: ClientHttp2Stream | null = null
  #chunks: Buffer[] = []
  #receivedBytes = 0
  /** With its prefix; 0 until the prefix has come. */
  #messageBytes = 0
  #isCompressed = false
  #httpStatus = 0
  #isOk = false
  #isSettled = false
  #isSecondAttempt = false
  #streamError: Error | null = null

  constructor(
    request: Request<Reply>,
    owner: CallOwner,
    resolve: (reply: Reply) => void,
    reject: (error: unknown) => void,
  ) {
    this.#request = request
    this.#owner = owner
    this.#resolve = resolve
    this.#reject = reject
    const { deadline } = request
    // Whole milliseconds: Node.js finds the list of a timer that is cleared by them.
    if (deadline !== Infinity)
      this.#timer = setTimeout(() => this.#onDeadline(), Math.ceil(deadline - performance.now()))
  }

  get isSent(): boolean {
    return this.#stream !== null
  }

  start(connection: Connection): void {
    const request = this.#request
    if (request.signal.aborted) return this.fail(aborted())
    const leftMs = request.deadline - performance.now()
    if (leftMs <= 0) return this.fail(tooLateToSend())
    let stream: ClientHttp2Stream
    try {
      stream = connection.request(headersOf(request, connection, leftMs))
    } catch (cause) {
      return this.#retry(new RpcError('unavailable', 'notRun', 'the connection to the app ended', { cause }))
    }
    this.#connection = connection
    this.#stream = stream
    stream.on('response', this.#onResponse.bind(this, stream))
    stream.on('data', this.#onData.bind(this, connection.maxReceived))
    stream.on('trailers', this.#onStatus.bind(this, stream))
    stream.on('error', (error: Error) => (this.#streamError = error))
    stream.on('close', this.#onClose.bind(this, stream, connection))
    stream.end(framed(request.bytes))
  }

  fail(error: unknown): void {
    if (this.#isSettled) return
    this.#settle()
    this.#reject(error)
  }

  abort(): void {
    this.#cancel(aborted(this.#outcomeSoFar))
  }

  /** A reply without a message has its status here. */
  #onResponse(stream: ClientHttp2Stream, headers: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    this.#httpStatus = headers[':status'] ?? 0
    if (headers['grpc-status'] !== undefined) this.#onStatus(stream, headers)
  }

  /** Keeps no bytes beyond those of the one message. */
  #onData(maxReceived: number, chunk: Buffer): void {
    this.#receivedBytes += chunk.length
    if (this.#isCompressed || (this.#messageBytes > 0 && this.#receivedBytes > this.#messageBytes)) return
    this.#chunks.push(chunk)
    if (this.#messageBytes > 0 || this.#receivedBytes < prefixBytes) return
    const prefix = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks)
    this.#isCompressed = prefix[0] !== 0
    if (this.#isCompressed) return void (this.#chunks = [])
    const length = prefix.readUInt32BE(1)
    this.#messageBytes = prefixBytes + length
    if (length <= maxReceived) return
    this.#cancel(new RpcError('application', 'ran', `${length} bytes: the reply is larger than rpc_max_call_recv_size`))
  }

  /** Comes after the reply's bytes, and usually before the stream has closed. */
  #onStatus(stream: ClientHttp2Stream, headers: IncomingHttpHeaders): void {
    const status = headers['grpc-status']
    if (status === undefined) return
    const code = /^\d+$/.test(String(status)) ? Number(status) : 2
    if (code === 0) return this.#onOk()
    const error = rpcErrorFor({ code, details: decodeMessage(String(headers['grpc-message'] ?? '')) })
    if (stream.writableFinished) this.fail(error)
    else this.#cancel(error)
  }

  #onOk(): void {
    this.#isOk = true
    if (this.#isSettled || this.#messageBytes === 0 || this.#receivedBytes !== this.#messageBytes) return
    const [first] = this.#chunks
    const bytes = first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks)
    this.#settle()
    try {
      this.#resolve(this.#request.deserialize(bytes.subarray(prefixBytes)))
    } catch (error) {
      this.#reject(error)
    }
  }

  #onClose(stream: ClientHttp2Stream, connection: Connection): void {
    if (stream.id === undefined) connection.onExhausted()
    if (this.#isSettled) return
    if (this.#isOk) return this.#onIncomplete()
    if (this.#isRefused(stream, connection))
      return this.#retry(new RpcError('unavailable', 'notRun', 'the app took no more calls on this connection'))
    if (this.#httpStatus !== 0 && this.#httpStatus !== 200) return this.fail(rpcErrorForHttp(this.#httpStatus))
    if (!connection.isLost) return this.fail(rpcErrorForReset(stream.rstCode))
    const cause = this.#streamError
    const message = `the connection was lost: ${cause?.message ?? 'the app closed it'}`
    this.fail(new RpcError('unavailable', 'unknown', message, { cause }))
  }

  /** The status was OK. The last bytes may have come after it. */
  #onIncomplete(): void {
    this.#onOk()
    const what = this.#isCompressed ? 'compressed, although the request does not accept that' : 'not one whole message'
    this.fail(new RpcError('application', 'ran', `the reply is ${what}`))
  }

  /** The app has not looked at the stream, and never will (RFC 9113 §6.8, §8.7): the call is safe to send again. */
  #isRefused({ id, rstCode }: ClientHttp2Stream, { lastStream, goawayCode }: Connection): boolean {
    if (id === undefined || id > lastStream) return true
    // Node.js gives every stream that a GOAWAY ends the code of that; and a stream that has a response was looked at.
    return rstCode === NGHTTP2_REFUSED_STREAM && goawayCode !== NGHTTP2_REFUSED_STREAM && this.#httpStatus === 0
  }

  /** Once, and at once. */
  #retry(error: RpcError): void {
    if (this.#isSecondAttempt) return this.fail(error)
    this.#isSecondAttempt = true
    this.#connection?.onCallEnd()
    this.#connection = null
    this.#stream = null
    this.#owner.place(this)
  }

  #onDeadline(): void {
    if (this.#stream === null) return this.fail(this.#owner.noConnectionInTime())
    this.#cancel(new RpcError('timeout', this.#outcomeSoFar, 'Deadline exceeded: the app has not replied'))
  }

  get #outcomeSoFar(): RpcError['outcome'] {
    return this.#stream === null || this.#stream.pending ? 'notRun' : 'unknown'
  }

  /** Fails, and has the app stop as well. */
  #cancel(error: RpcError): void {
    this.fail(error)
    this.#stream?.close(NGHTTP2_CANCEL)
  }

  #settle(): void {
    this.#isSettled = true
    clearTimeout(this.#timer)
    this.#connection?.onCallEnd()
    this.#owner.onSettled(this)
  }
}

/** The timeout has eight digits at most, which hold the longest that an option allows. */
function headersOf(
  { path, sid, deadline }: Request<unknown>,
  { scheme, authority }: Connection,
  leftMs: number,
): Record<string, string> {
  const headers: Record<string, string> = {
    ':method': 'POST',
    ':scheme': scheme,
    ':authority': authority,
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'ocpp-cable',
    sid,
    protov,
  }
  if (deadline !== Infinity) headers['grpc-timeout'] = `${Math.ceil(leftMs)}m`
  return headers
}

/** The message after its prefix, in one piece. */
function framed(message: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(prefixBytes + message.length)
  bytes[0] = 0
  bytes.writeUInt32BE(message.length, 1)
  message.copy(bytes, prefixBytes)
  return bytes
}

/** There is a connection: the bridge itself was too busy. */
function tooLateToSend(): RpcError {
  return new RpcError('timeout', 'notRun', 'Deadline exceeded before the call was sent', { isLocal: true })
}
