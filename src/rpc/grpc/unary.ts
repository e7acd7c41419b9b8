/**
 * One call on a connection: a message out, a message back, a status.
 *
 * Spec: gRPC over HTTP/2, "Responses".
 */
import { constants, type ClientHttp2Stream, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from 'node:http2'
import { RpcError } from '../../cable/rpc.ts'
import { atDeadline, clear } from '../deadline.ts'
import { rpcErrorFor } from '../grpc-status.ts'
import type { Ask } from '../service.ts'
import { decodedMessage, errorForHttp, errorForReset, refused } from './endings.ts'
import { framed, ReplyMessage } from './message.ts'
import { request, type Origin } from './request.ts'

/** What a call needs of its connection. */
export interface Wire extends Origin {
  /** The last stream that the app has looked at, or may look at, by its GOAWAY. */
  readonly lastStream: number
  /** Of its GOAWAY; `null` as long as there is none. Node.js gives it to each stream that it ends for one. */
  readonly endCode: number | null
  /** Of a reply's message, in bytes. */
  readonly maxReceived: number
  /** It has had as many calls as a connection can have (RFC 9113 §5.1.1). */
  onExhausted(): void
  onCallStart(): void
  /** The call has settled; its stream may not have closed yet. */
  onCallEnd(): void
}

type Settle = { readonly resolve: (reply: Buffer) => void; readonly reject: (error: RpcError) => void }

const { NGHTTP2_CANCEL, NGHTTP2_REFUSED_STREAM } = constants

/** Settles by the deadline, with the reply's bytes or an `RpcError`. */
export function unary(wire: Wire, ask: Ask): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    new Unary(wire, ask, { resolve, reject })
  })
}

class Unary {
  readonly #wire: Wire
  readonly #stream: ClientHttp2Stream
  readonly #settleAs: Settle
  readonly #timer: NodeJS.Timeout | null
  readonly #reply = new ReplyMessage()
  #httpStatus = 0
  #isOk = false
  #isSettled = false
  #error: Error | null = null

  constructor(wire: Wire, ask: Ask, settle: Settle) {
    const stream = request(wire, ask)
    this.#wire = wire
    this.#stream = stream
    this.#settleAs = settle
    this.#timer = atDeadline(ask.deadline, () => this.#onDeadline())
    stream.on('response', headers => this.#onResponse(headers))
    stream.on('data', (chunk: Buffer) => this.#onData(chunk))
    stream.on('trailers', (headers: IncomingHttpHeaders) => this.#onStatus(headers))
    stream.on('error', (error: Error) => (this.#error = error))
    stream.on('close', () => this.#onClose())
    stream.end(framed(ask.bytes))
    wire.onCallStart()
  }

  /** A reply without a message has its status here. */
  #onResponse(headers: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    this.#httpStatus = headers[':status'] ?? 0
    this.#onStatus(headers)
  }

  #onData(chunk: Buffer): void {
    this.#reply.take(chunk)
    const { length } = this.#reply
    if (length === null || length <= this.#wire.maxReceived) return
    const said = `${length} bytes: the reply is larger than rpc_max_call_recv_size`
    this.#cut(new RpcError('application', 'ran', said))
  }

  /** Not before the reply's bytes, but maybe before the stream is closed. */
  #onStatus(headers: IncomingHttpHeaders): void {
    const status = headers['grpc-status']
    if (status === undefined) return
    const code = /^\d+$/.test(String(status)) ? Number(status) : 2
    if (code === 0) return this.#onOk()
    const details = decodedMessage(String(headers['grpc-message'] ?? ''))
    const error = rpcErrorFor({ code, details })
    if (this.#stream.writableFinished) this.#fail(error)
    else this.#cut(error)
  }

  #onOk(): void {
    this.#isOk = true
    const reply = this.#reply.whole()
    if (reply === null || this.#isSettled) return
    this.#settle()
    this.#settleAs.resolve(reply)
  }

  #onDeadline(): void {
    const outcome = this.#stream.pending ? 'notRun' : 'unknown'
    this.#cut(new RpcError('timeout', outcome, 'Deadline exceeded: the app has not replied'))
  }

  #onClose(): void {
    if (this.#stream.id === undefined) this.#wire.onExhausted()
    if (this.#isSettled) return
    if (this.#isOk) this.#onOk()
    this.#fail(this.#whyClosed())
  }

  /** The first that holds. */
  #whyClosed(): RpcError {
    const { id, rstCode } = this.#stream
    const { lastStream, session } = this.#wire
    if (this.#isOk) return this.#misfit()
    if (id === undefined || id > lastStream || this.#isRefused()) return refused()
    if (this.#httpStatus !== 0 && this.#httpStatus !== 200) return errorForHttp(this.#httpStatus)
    if (!session.destroyed) return errorForReset(rstCode)
    const said = this.#error?.message ?? 'the app closed it'
    return new RpcError('unavailable', 'unknown', `the connection was lost: ${said}`, { cause: this.#error })
  }

  /** By the app, and this stream alone (RFC 9113 §8.7). One that it has begun to answer was looked at. */
  #isRefused(): boolean {
    const isOfConnection = this.#wire.endCode === NGHTTP2_REFUSED_STREAM
    return this.#stream.rstCode === NGHTTP2_REFUSED_STREAM && !isOfConnection && this.#httpStatus === 0
  }

  #misfit(): RpcError {
    const said = this.#reply.isCompressed ? 'compressed, which nobody asked for' : 'no single whole message'
    return new RpcError('application', 'ran', `the reply is ${said}`)
  }

  #fail(error: RpcError): void {
    if (this.#isSettled) return
    this.#settle()
    this.#settleAs.reject(error)
  }

  /** The other side need not go on. */
  #cut(error: RpcError): void {
    this.#fail(error)
    this.#stream.close(NGHTTP2_CANCEL)
  }

  #settle(): void {
    this.#isSettled = true
    clear(this.#timer)
    this.#wire.onCallEnd()
  }
}
