/**
 * A client's HTTP/2 connection: opens a stream for each exchange, and reads what the server sends.
 *
 * Not split further: each exchange runs through it. Spec: RFC 9113 §3.4, §5, §6 and §8.1.
 */
import type { ConnectionOwner, Exchange, Wire } from './exchange.ts'
import {
  brokenHttp2,
  contentOf,
  defaultMaxFrameBytes,
  defaultWindowBytes,
  errorCodes,
  flagBits,
  frameHeadBytes,
  frameTypes,
  Http2Error,
  maxStreamId,
  parseControlFrame,
  serializeNumbers,
  serializeSettings,
  type PeerSettings,
} from './frames.ts'
import { Fragments } from './fragments.ts'
import { Decoder, Encoder, type Fields } from './hpack.ts'
import { headOf } from './message.ts'
import { Output } from './output.ts'
import { connectionWindowBytes, Streams, streamWindowBytes, type Stream } from './streams.ts'

const { data, headers, rstStream, settings, ping, goaway, windowUpdate } = frameTypes
/** Of the server's fields: of a list, and of the block of bytes that it is read from. */
const maxHeaderListBytes = 2 ** 16
/** In a row, of those that neither belong to a response nor answer a ping (RFC 9113 §10.5). */
const maxUselessFrames = 1_000
const hasPrefix = flagBits.padded | flagBits.priority

export class Connection {
  isOpen = false // Whether streams can be opened; written here alone.
  readonly #wire: Wire
  readonly #owner: ConnectionOwner
  readonly #output: Output
  readonly #streams: Streams
  readonly #encoder: Encoder
  readonly #decoder = new Decoder(maxHeaderListBytes, headOf)
  #state: 'opening' | 'open' | 'ending' | 'closed' = 'opening'
  /** The beginning of a frame. */
  #rest: Buffer | null = null
  readonly #fragments = new Fragments(maxHeaderListBytes)
  #uselessFrames = 0
  #pings = 0 // without an answer

  /** @param fields  of all requests, besides their path: the pseudo-header fields first */
  constructor(wire: Wire, fields: Fields, owner: ConnectionOwner, firstStreamId = 1) {
    this.#wire = wire
    this.#encoder = new Encoder(fields)
    this.#owner = owner
    this.#output = new Output(wire)
    this.#streams = new Streams(this.#output, firstStreamId)
    this.#output.frame(settings, 0, 0, serializeSettings(streamWindowBytes, maxHeaderListBytes))
    this.#output.frame(windowUpdate, 0, 0, serializeNumbers(connectionWindowBytes - defaultWindowBytes))
  }

  /** Opens a stream, or queues the exchange while the server or the socket takes no more. Only while `isOpen`. */
  open(exchange: Exchange): void {
    const streams = this.#streams
    const { maxStreams, maxHeaderListBytes, windowBytes } = streams.peer
    if (this.#output.isBlocked || streams.byId.size >= maxStreams) return void streams.waiting.add(exchange)
    const own = exchange.open()
    if (own === null) return
    const { path, body } = exchange
    const block = this.#encoder.encode(path, own, maxHeaderListBytes)
    if (block === null) return exchange.onEnd({ kind: 'unsendable' })
    const id = streams.nextId
    streams.nextId = id + 2
    exchange.streamId = id
    exchange.status = 0
    this.#output.frame(headers, flagBits.endHeaders, id, block)
    const isWhole = body.length <= Math.min(defaultMaxFrameBytes, windowBytes, streams.sendWindow)
    const sentBytes = isWhole ? body.length : 0
    const sendWindow = windowBytes - sentBytes
    const [receiveWindow, receivedBytes, contentLength] = [streamWindowBytes, 0, null]
    const stream = { id, exchange, sentBytes, sendWindow, receiveWindow, receivedBytes, contentLength }
    streams.byId.set(id, stream)
    streams.sendWindow -= sentBytes
    if (isWhole) this.#output.frame(data, flagBits.endStream, id, body)
    else streams.sendBody(stream)
    if (id === maxStreamId) this.#end('the connection has no more stream ids')
  }

  /** Ends an exchange that has not ended; nothing more is reported of it. */
  cancel(exchange: Exchange): void {
    const stream = this.#streams.byId.get(exchange.streamId)
    if (stream?.exchange !== exchange) return void this.#streams.waiting.delete(exchange)
    this.#streams.reset(stream, errorCodes.cancel)
    this.#proceed()
  }

  ping(): void {
    this.#pings++
    this.#output.frame(ping, 0, 0, Buffer.alloc(8))
  }

  /** Opens no more streams. Those that are open run to their end; then the socket is closed. */
  close(reason: string): void {
    this.#end(reason)
    this.#proceed()
  }

  /** Ends all streams with the connection. */
  destroy(reason: string): void {
    this.#close(errorCodes.cancel, reason)
  }

  /** The listeners of the socket. It may close before it has opened. */
  readonly onDrain = (): void => {
    this.#output.isBlocked = false
    this.#proceed()
  }

  readonly onClose = (reason: string): void => this.#close(null, reason)

  readonly receive = (chunk: Buffer): void => {
    const bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (bytes.length - at >= frameHeadBytes && this.#state !== 'closed') {
      const length = bytes.readUIntBE(at, 3)
      const from = at + frameHeadBytes
      if (from + length > bytes.length && length <= defaultMaxFrameBytes) break
      const [type, flags] = [bytes[at + 3] ?? 0, bytes[at + 4] ?? 0]
      const id = bytes.readUInt32BE(at + 5) & maxStreamId
      at = from + length
      try {
        if (length > defaultMaxFrameBytes) throw new Http2Error('frameSizeError', `a frame of ${length} bytes`)
        if (this.#state === 'opening' && (type !== settings || (flags & flagBits.ack) !== 0))
          throw new Http2Error('protocolError', 'the first frame is not SETTINGS')
        if (this.#fragments.isPending) {
          const whole = this.#fragments.add(type, flags, id, bytes.subarray(from, at))
          if (whole !== null) this.#onHeaders(whole.flags, whole.id, whole.block)
        } else if (type === headers) this.#onHeaders(flags, id, bytes.subarray(from, at))
        else if (type === data) this.#onData(flags, id, bytes.subarray(from, at))
        else this.#onOther(type, flags, id, bytes.subarray(from, at))
      } catch (error) {
        this.#onError(error)
      }
    }
    this.#rest = at < bytes.length ? bytes.subarray(at) : null
  }

  #onHeaders(flags: number, id: number, payload: Buffer): void {
    const content = (flags & hasPrefix) === 0 ? payload : contentOf(headers, flags, payload)
    if ((flags & flagBits.endHeaders) === 0) return this.#fragments.start(id, flags, content)
    const isLast = (flags & flagBits.endStream) !== 0
    const { problem, status, contentLength, fields } = this.#decoder.decode(content)
    const stream = this.#streams.byId.get(id)
    if (stream === undefined) return this.#streams.checkCancelled(id, isLast)
    const { exchange } = stream
    const isResponse = exchange.status === 0
    const isMisplaced = isResponse ? status === 0 || status === 101 || (status < 200 && isLast) : status > 0 || !isLast
    if (problem !== null || isMisplaced) throw new Http2Error('protocolError', problem ?? 'misplaced fields', id)
    if (isResponse && status < 200) return this.#countUseless()
    this.#uselessFrames = 0
    if (isResponse) {
      exchange.status = status
      stream.contentLength = contentLength
    }
    if (!isLast) return
    this.#endStream(stream)
    exchange.onTrailers(fields)
  }

  #onData(flags: number, id: number, payload: Buffer): void {
    const content = (flags & hasPrefix) === 0 ? payload : contentOf(data, flags, payload)
    const isLast = (flags & flagBits.endStream) !== 0
    const streams = this.#streams
    streams.receiveWindow -= payload.length
    if (streams.receiveWindow < connectionWindowBytes / 2) streams.widenReceiveWindow()
    const stream = this.#streams.byId.get(id)
    if (stream === undefined) return this.#streams.checkCancelled(id, isLast)
    const { exchange } = stream
    if (exchange.status === 0) throw new Http2Error('protocolError', 'DATA before the fields of the response', id)
    stream.receiveWindow -= payload.length
    if (stream.receiveWindow < streamWindowBytes / 2 && !isLast) streams.widenStream(stream)
    stream.receivedBytes += content.length
    if (content.length > 0) this.#uselessFrames = 0
    else if (!isLast) this.#countUseless()
    exchange.onData(content)
    if (!isLast || !streams.byId.has(id)) return
    this.#endStream(stream)
    exchange.onEnd({ kind: 'ended' })
  }

  /** The response is whole. The server may not need the rest of the request (RFC 9113 §8.1). */
  #endStream(stream: Stream): void {
    const { id, exchange, contentLength, receivedBytes } = stream
    if (contentLength !== null && contentLength !== receivedBytes)
      throw new Http2Error('protocolError', `${receivedBytes} bytes, but its content-length is ${contentLength}`, id)
    if (stream.sentBytes < exchange.body.length)
      this.#output.frame(rstStream, 0, id, serializeNumbers(errorCodes.cancel))
    this.#streams.byId.delete(id)
    if (this.#streams.waiting.size > 0 || this.#state !== 'open') this.#proceed()
  }

  /** Sends what is left of the bodies, and opens what waits. Closes an ending connection after its last stream. */
  #proceed(): void {
    const { waiting, byId, peer } = this.#streams
    this.#streams.sendBodies()
    for (const exchange of waiting) {
      if (this.#output.isBlocked || byId.size >= peer.maxStreams) return
      waiting.delete(exchange)
      this.open(exchange)
    }
    if (this.#state === 'ending' && byId.size === 0) this.#close(errorCodes.noError, 'closed')
  }

  #onOther(type: number, flags: number, id: number, payload: Buffer): void {
    const frame = parseControlFrame(type, flags, id, payload)
    switch (frame.kind) {
      case 'settings':
        return this.#onSettings(frame.changes)
      case 'windowUpdate':
        this.#streams.widenSendWindow(id, frame.increment)
        return this.#proceed()
      case 'rstStream':
        return this.#onReset(id, frame.code)
      case 'goaway':
        this.#owner.onGoaway(frame.code)
        this.#end(`the app closed the connection with HTTP/2 code ${frame.code}`)
        for (const { exchange } of this.#streams.takeRefused(frame.lastStreamId)) exchange.onEnd({ kind: 'refused' })
        return this.#proceed()
      case 'pong':
        if (this.#pings === 0) return this.#countUseless()
        this.#pings--
        this.#uselessFrames = 0
        return this.#owner.onPong()
      case 'ping':
        this.#output.frame(ping, flagBits.ack, 0, frame.payload)
        return this.#countUseless()
      case 'settingsAck':
      case 'ignored':
        return this.#countUseless()
    }
  }

  #onSettings(changes: Partial<PeerSettings>): void {
    this.#streams.apply(changes)
    if (changes.headerTableBytes !== undefined) this.#encoder.tableBytes = changes.headerTableBytes
    this.#output.frame(settings, flagBits.ack, 0, Buffer.alloc(0))
    this.#countUseless()
    if (this.#state !== 'opening') return this.#proceed()
    this.#state = 'open'
    this.isOpen = true
    this.#owner.onReady()
  }

  #onReset(id: number, code: number): void {
    const stream = this.#streams.onReset(id)
    if (stream === undefined) return this.#countUseless()
    this.#proceed()
    const isRefused = code === errorCodes.refusedStream && stream.exchange.status === 0
    stream.exchange.onEnd(isRefused ? { kind: 'refused' } : { kind: 'reset', code })
  }

  #countUseless(): void {
    if (++this.#uselessFrames > maxUselessFrames) throw new Http2Error('enhanceYourCalm', 'too many useless frames')
  }

  #onError(error: unknown): void {
    const { code, streamId, message } =
      error instanceof Http2Error ? error : new Http2Error('internalError', String(error))
    if (streamId === null) return this.#close(code, brokenHttp2 + message)
    const stream = this.#streams.byId.get(streamId)
    if (stream === undefined) return
    this.#streams.reset(stream, code)
    this.#proceed()
    stream.exchange.onEnd({ kind: 'malformed', reason: message })
  }

  #end(reason: string): void {
    if (this.#state === 'ending' || this.#state === 'closed') return
    this.#state = 'ending'
    this.isOpen = false
    this.#owner.onEnd(reason)
    for (const exchange of this.#streams.takeWaiting()) exchange.onEnd({ kind: 'refused' })
  }

  /** @param code  of GOAWAY; `null` if the socket has closed */
  #close(code: number | null, reason: string): void {
    if (this.#state === 'closed') return
    this.#end(reason)
    this.#state = 'closed'
    if (code !== null) {
      this.#output.frame(goaway, 0, 0, serializeNumbers(0, code))
      this.#output.flush()
    }
    this.#owner.onClose()
    this.#wire.end() // Its other side may never close it; what was written before is flushed first.
    setImmediate(() => this.#wire.destroy())
    for (const { id, exchange } of this.#streams.takeOpen())
      exchange.onEnd(id > this.#output.writtenId ? { kind: 'refused' } : { kind: 'lost', reason })
  }
}
