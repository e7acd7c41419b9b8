/**
 * The WebSockets of stations. The only import of `ws`.
 *
 * Spec: RFC 6455.
 */
import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer, type RawData } from 'ws'
import type { Meter } from '../../ops/metrics.ts'
import type { StationSocket, World } from '../../session/ports.ts'
import { closeModeFor, type CloseRule } from '../../translate/closing.ts'
import type { StationHandshake } from '../../translate/handshake.ts'
import { closeCodeFor, closeReason } from './closing.ts'
import { deflate, mayCompress, type Compression } from './compression.ts'
import { Held } from './held.ts'
import { Liveness, Patience, type LivenessSettings } from './liveness.ts'

export type SocketSettings = LivenessSettings & {
  /** In bytes; a longer message closes the connection with 1009. */
  readonly maxMessageSize: number
  /** Limit on bytes buffered for a station that does not read; 0: no limit. */
  readonly maxPendingSize: number
  readonly compression: Compression
  /** What a text message that is not UTF-8 does: close with 1007, or arrive with U+FFFD (RFC 6455 §8.1). */
  readonly invalidUtf8: 'close' | 'replace'
  /** How the connection of a station that should come back is closed. */
  readonly close: readonly CloseRule[]
}

/** The listener of a socket: its session. */
export interface SocketEnd {
  /** @param bytes the message's size */
  receive(text: string, bytes: number): void
  gone(code: number, reason: string): void
}

type Agreed = Pick<StationHandshake, 'stationId' | 'subprotocol' | 'version'>

export interface Sockets {
  /**
   * Finishes an upgrade.
   *
   * @param agreed the station's id, the subprotocol to echo (`null` if the station offered none) and its version
   * @param onOpen called once, with the open socket; returns the listener of the socket
   */
  upgrade(
    request: IncomingMessage,
    stream: Duplex,
    head: Buffer,
    agreed: Agreed,
    onOpen: (socket: StationSocket) => SocketEnd,
  ): void
  /** Sets the function that answers an invalid WebSocket upgrade. */
  onRefused(refuse: (request: IncomingMessage, stream: Duplex, problem: string) => void): void
  /** Stops the sweep and terminates every connection that is still open. */
  close(): void
}

/** How long a station may take to answer a close frame. */
const closeTimeoutMs = 2_000

/** Limit on messages held for a session that takes none. Below it the socket is read, so that pings get their pongs. */
const maxHeldBytes = 1024 * 1024
/** Limit on data beyond one message from a paused socket: `ws` still emits all messages in the data it has read. */
const maxOverrunBytes = 1024 * 1024

export function openSockets(settings: SocketSettings, { meter, once }: Pick<World, 'meter' | 'once'>): Sockets {
  const open = new Set<LiveSocket>()
  const upgradePlainly = new WeakMap<IncomingMessage, () => void>()
  const options = {
    noServer: true,
    clientTracking: false,
    maxPayload: settings.maxMessageSize,
    skipUTF8Validation: settings.invalidUtf8 === 'replace',
  }
  const plain = new WebSocketServer({ ...options, perMessageDeflate: false })
  const compressing = new WebSocketServer({ ...options, perMessageDeflate: deflate })
  // An offer that cannot be met is declined, but the station is not refused for it (RFC 7692 §5).
  compressing.on('wsClientError', (_error, _stream, request) => upgradePlainly.get(request)?.())
  const patience = new Patience(settings)
  const sweep = setInterval(() => {
    for (const socket of open) socket.check()
  }, patience.sweepMs)
  return {
    upgrade: (request, stream, head, { stationId, subprotocol, version }, onOpen) => {
      // `ws` parses both headers again and refuses what HTTP allows: other protocols in Upgrade (RFC 9110 §7.8), empty
      // or repeated elements in the list of subprotocols (§5.6.1).
      request.headers.upgrade = 'websocket'
      if (subprotocol === null) delete request.headers['sec-websocket-protocol']
      else request.headers['sec-websocket-protocol'] = subprotocol
      const upgradeBy = (server: WebSocketServer): void =>
        server.handleUpgrade(request, stream, head, ws => {
          const isCut = closeModeFor(stationId, settings.close) === 'abort'
          const socket = new LiveSocket(ws, request.socket, { ...settings, isCut }, patience, meter)
          open.add(socket)
          ws.once('close', () => open.delete(socket))
          socket.attach(onOpen(socket), () => once('invalid UTF-8', { station: stationId }, replacedText, stationId))
        })
      if (!mayCompress(settings.compression, version)) return upgradeBy(plain)
      upgradePlainly.set(request, () => upgradeBy(plain))
      upgradeBy(compressing)
    },
    onRefused: refuse => {
      // Listeners share the sockets: each sets it, and one answer is enough.
      plain.removeAllListeners('wsClientError')
      plain.on('wsClientError', (error, stream, request) => refuse(request, stream, error.message))
    },
    close: () => {
      clearInterval(sweep)
      for (const socket of open) socket.terminate()
    },
  }
}

const replacedText =
  'a station sent bytes that are not UTF-8: they are served as U+FFFD, an idTag with one is not known'

type Closing = { readonly code: number; readonly reason: string }
/** `isCut`: closed without a handshake where the station should come back. */
type LiveSettings = SocketSettings & { readonly isCut: boolean }

class LiveSocket implements StationSocket {
  readonly #ws: WebSocket
  readonly #connection: Socket
  readonly #settings: LiveSettings
  readonly #meter: Meter
  readonly #liveness: Liveness
  #end: SocketEnd | null = null
  /** Whether the session takes no messages at present. */
  #isHolding = false
  readonly #held = new Held()
  #overrunBytes = 0
  /** The code and reason with which this side ended the connection, if it did. */
  #ending: Closing | null = null
  /** Set once the connection is closed, if the session has not been told. */
  #closed: Closing | null = null

  constructor(ws: WebSocket, connection: Socket, settings: LiveSettings, patience: Patience, meter: Meter) {
    this.#ws = ws
    this.#connection = connection
    this.#settings = settings
    this.#meter = meter
    this.#liveness = new Liveness(patience)
  }

  get isOpen(): boolean {
    return this.#ws.readyState === WebSocket.OPEN
  }

  /** @param onReplaced called for each message whose bytes are not UTF-8 */
  attach(end: SocketEnd, onReplaced: () => void): void {
    const ws = this.#ws
    // `ws` has validated the text messages otherwise. Binary ones are served as text, and may hold anything.
    const replaces = this.#settings.invalidUtf8 === 'replace'
    this.#end = end
    ws.on('message', (data, isBinary) => {
      if (this.#ending !== null) return
      const bytes = bytesOf(data)
      this.#meter.count('data_rcvd_total', {}, bytes.length)
      if ((replaces || isBinary) && !isUtf8(bytes)) onReplaced()
      if (this.#isHolding) this.#hold(bytes)
      else end.receive(bytes.toString(), bytes.length)
    })
    ws.on('pong', () => this.#liveness.onPong())
    // `ws` closes the connection on its own, and then reports code 1006.
    ws.on('error', (error: Error & { readonly code?: string }) => {
      this.#ending ??= { code: closeCodeFor(error), reason: error.message }
    })
    ws.on('close', (code, reason) => {
      this.#closed = this.#ending ?? { code, reason: reason.toString() }
      if (!this.#isHolding) this.#deliver()
    })
  }

  /**
   * The pending-size limit counts the data buffered before this message, but not data that waits for compression:
   * neither a single large message nor the bridge's own delay makes a station slow.
   */
  send(text: string): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return
    const { maxPendingSize } = this.#settings
    if (maxPendingSize > 0 && this.#connection.writableLength > maxPendingSize) return this.#onSlow()
    this.#meter.count('data_sent_total', {}, Buffer.byteLength(text))
    this.#ws.send(text)
  }

  close(code: number, reason: string): void {
    this.#dropHeld()
    if (this.#ws.readyState !== WebSocket.OPEN) return
    this.#ws.resume()
    if (!this.#settings.isCut || (code !== 1001 && code !== 1012)) return this.#closeWithin(code, reason)
    this.#ending = { code, reason }
    this.#connection.destroySoon()
  }

  /** The socket is still read, within a limit: control frames must not wait for the app (RFC 6455 §5.5.2). */
  pause(): void {
    this.#isHolding = true
  }

  resume(): void {
    this.#isHolding = false
    this.#deliver()
  }

  get answersPings(): boolean {
    return this.#liveness.answersPings
  }

  probe(): void {
    if (this.#liveness.probe()) this.#ws.ping()
  }

  expectHeartbeats(intervalMs: number): void {
    this.#liveness.expectHeartbeats(intervalMs)
  }

  terminate(): void {
    this.#ws.terminate()
  }

  /** One sweep: pings a silent station, and terminates one that has left. */
  check(): void {
    const { bytesRead } = this.#connection
    const next = this.#liveness.sweep({ bytesRead, isHeld: this.#isHolding, isPaused: this.#ws.isPaused })
    if (next === 'ping') this.#ws.ping()
    if (next !== 'end') return
    this.#ending ??= { code: 1006, reason: 'Silent for too long' }
    this.#ws.terminate()
  }

  #hold(data: Buffer): void {
    if (this.#ws.isPaused && this.#isFlooded(data.length)) return
    this.#held.push({ text: data.toString(), bytes: data.length })
    if (this.#held.bytes > maxHeldBytes) this.#ws.pause()
  }

  /**
   * Hands on what is held, until the session takes no more. The end of a connection waits for the messages before it,
   * as it does where they are unread.
   */
  #deliver(): void {
    while (!this.#isHolding) {
      const message = this.#held.shift()
      if (message === undefined) break
      this.#end?.receive(message.text, message.bytes)
    }
    const closed = this.#closed
    if (closed !== null && !this.#isHolding) {
      this.#closed = null
      this.#end?.gone(closed.code, closed.reason)
    }
    if (this.#ending !== null || !this.#ws.isPaused || this.#held.bytes > maxHeldBytes / 2) return
    this.#overrunBytes = 0
    this.#ws.resume()
  }

  #dropHeld(): void {
    this.#isHolding = false
    this.#held.clear()
  }

  /** Terminates without a close frame, which would only queue behind the data that the station does not read. */
  #onSlow(): void {
    this.#meter.count('disconnected_slow_clients_total')
    this.#ending = { code: 1006, reason: 'Reads too slowly' }
    this.#ws.terminate()
  }

  /** A paused `ws` still emits the messages in the data it has already read, which may inflate a thousandfold. */
  #isFlooded(length: number): boolean {
    this.#overrunBytes += length
    if (this.#overrunBytes <= this.#settings.maxMessageSize + maxOverrunBytes) return false
    this.#ending = { code: 1009, reason: 'Too much at once' }
    this.#dropHeld()
    this.#closeWithin(this.#ending.code, this.#ending.reason)
    return true
  }

  #closeWithin(code: number, reason: string): void {
    this.#ws.close(code, closeReason(reason))
    setTimeout(() => this.#ws.terminate(), closeTimeoutMs).unref()
  }
}

function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
}
