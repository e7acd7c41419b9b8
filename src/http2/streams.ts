/**
 * The streams of a connection: those that are open, the exchanges that wait for one, and those that this client has
 * reset; and what may be sent on them.
 *
 * The connection itself opens and ends streams of the usual kind. Spec: RFC 9113 §5, §6.4 and §6.9.
 */
import type { Exchange } from './exchange.ts'
import {
  defaultMaxFrameBytes,
  defaultPeerSettings,
  defaultWindowBytes,
  flagBits,
  frameTypes,
  Http2Error,
  maxWindowBytes,
  serializeNumbers,
  type PeerSettings,
  type SettingChange,
} from './frames.ts'
import type { Output } from './output.ts'

export type Stream = {
  readonly id: number
  readonly exchange: Exchange
  /** How much of the body is sent, and how much more the server takes. */
  sentBytes: number
  sendWindow: number
  /** How much more the server may send, how much it has sent, and how much it has announced. */
  receiveWindow: number
  receivedBytes: number
  contentLength: number | null
}

/** Wide enough for a response of the usual size not to wait for WINDOW_UPDATE. */
export const streamWindowBytes = 2 ** 20
export const connectionWindowBytes = 8 * streamWindowBytes
/** Streams that this client has reset, and whose last frames may still come. */
const maxCancelled = 10_000

export class Streams {
  readonly byId = new Map<number, Stream>()
  readonly waiting = new Set<Exchange>()
  /** The id of the next one. */
  nextId: number
  /** What the server takes on all streams together. */
  sendWindow = defaultWindowBytes
  /** What this client takes on all streams together. */
  receiveWindow = connectionWindowBytes
  readonly #peer: PeerSettings = { ...defaultPeerSettings }
  readonly peer: Readonly<PeerSettings> = this.#peer
  readonly #output: Output
  readonly #cancelled = new Set<number>()

  constructor(output: Output, firstId: number) {
    this.#output = output
    this.nextId = firstId
  }

  /** The server's settings change the windows of open streams too (RFC 9113 §6.9.2). */
  apply(changes: readonly SettingChange[]): void {
    for (const [name, value] of changes) {
      const increment = value - this.#peer[name]
      this.#peer[name] = value
      if (name !== 'windowBytes') continue
      for (const stream of this.byId.values()) stream.sendWindow = widened(stream.sendWindow, increment, null)
    }
  }

  /** Widens a window of the server's, and sends what it then allows. */
  widenSendWindow(id: number, increment: number): void {
    if (id === 0) {
      this.sendWindow = widened(this.sendWindow, increment, null)
      return this.sendBodies()
    }
    const stream = this.byId.get(id)
    if (stream === undefined) return this.checkOpened(id)
    stream.sendWindow = widened(stream.sendWindow, increment, id)
    this.sendBody(stream)
  }

  widenReceiveWindow(): void {
    this.#output.frame(frameTypes.windowUpdate, 0, 0, serializeNumbers(connectionWindowBytes - this.receiveWindow))
    this.receiveWindow = connectionWindowBytes
  }

  /** The bytes of a response are taken as they come, so no server can exceed a window. */
  widenStream(stream: Stream): void {
    const { id, receiveWindow } = stream
    this.#output.frame(frameTypes.windowUpdate, 0, id, serializeNumbers(streamWindowBytes - receiveWindow))
    stream.receiveWindow = streamWindowBytes
  }

  checkOpened(id: number): void {
    if (id % 2 === 0 || id >= this.nextId)
      throw new Http2Error('protocolError', `a frame for stream ${id}, which was never opened`)
  }

  /** For a message on a stream that is not open: throws unless this client has reset the stream. */
  checkCancelled(id: number, isLast: boolean): void {
    this.checkOpened(id)
    if (!this.#cancelled.has(id)) throw new Http2Error('streamClosed', `a frame after the end of stream ${id}`)
    if (isLast) this.#cancelled.delete(id)
  }

  /** Sends RST_STREAM. */
  reset({ id }: Stream, code: number): void {
    this.#output.frame(frameTypes.rstStream, 0, id, serializeNumbers(code))
    this.byId.delete(id)
    this.#cancelled.add(id)
    if (this.#cancelled.size <= maxCancelled) return
    const [oldest] = this.#cancelled
    if (oldest !== undefined) this.#cancelled.delete(oldest)
  }

  /** The server has sent RST_STREAM. @returns the stream, if it was open */
  onReset(id: number): Stream | undefined {
    const stream = this.byId.get(id)
    if (stream === undefined) this.checkOpened(id)
    this.byId.delete(id)
    this.#cancelled.delete(id)
    return stream
  }

  /** Removes those that the server does not process: above this id, and without a response. */
  takeRefused(lastId: number): Stream[] {
    const taken = [...this.byId.values()].filter(({ id, exchange }) => id > lastId && exchange.status === 0)
    for (const { id } of taken) this.byId.delete(id)
    return taken
  }

  takeOpen(): Stream[] {
    const taken = [...this.byId.values()]
    this.byId.clear()
    return taken
  }

  takeWaiting(): Exchange[] {
    const taken = [...this.waiting]
    this.waiting.clear()
    return taken
  }

  /** What is left of all bodies, as far as the windows allow. */
  sendBodies(): void {
    for (const stream of this.byId.values()) this.sendBody(stream)
  }

  sendBody(stream: Stream): void {
    const { id, exchange } = stream
    const { body } = exchange
    while (!this.#output.isBlocked && stream.sentBytes < body.length) {
      const { sentBytes } = stream
      const bytes = Math.min(body.length - sentBytes, defaultMaxFrameBytes, this.sendWindow, stream.sendWindow)
      if (bytes <= 0) return
      stream.sentBytes += bytes
      stream.sendWindow -= bytes
      this.sendWindow -= bytes
      const isLast = stream.sentBytes === body.length
      const content = body.subarray(sentBytes, stream.sentBytes)
      this.#output.frame(frameTypes.data, isLast ? flagBits.endStream : 0, id, content)
    }
  }
}

function widened(window: number, increment: number, streamId: number | null): number {
  if (window + increment <= maxWindowBytes) return window + increment
  throw new Http2Error('flowControlError', 'a window above the maximum', streamId)
}
