/**
 * The WebSockets of stations. The only import of `ws`.
 *
 * Spec: RFC 6455. Liveness follows OCPP-J 1.6 §7 and OCPP 2.0.1 Part 4 §8.4: any byte from a station counts as life.
 */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer, type RawData } from 'ws'
import type { Meter } from '../ops/metrics.ts'
import type { StationSocket } from '../session/ports.ts'
import type { StationHandshake } from '../translate/handshake.ts'
import { deflate, mayCompress, type Compression } from './compression.ts'

export type SocketSettings = {
  /** In bytes; a longer message closes the connection with 1009. */
  readonly maxMessageSize: number
  /** Limit on bytes buffered for a station that does not read; 0: no limit. */
  readonly maxPendingSize: number
  /** 0: no pings. */
  readonly pingIntervalMs: number
  readonly idleTimeoutMs: number
  readonly compression: Compression
}

/** The listener of a socket: its session. */
export interface SocketEnd {
  /** @param bytes the message's size */
  receive(text: string, bytes: number): void
  gone(code: number, reason: string): void
}

export interface Sockets {
  /**
   * Finishes an upgrade.
   *
   * @param agreed the subprotocol to echo (`null` if the station offered none) and its version
   * @param onOpen called once, with the open socket; returns the listener of the socket
   */
  upgrade(
    request: IncomingMessage,
    stream: Duplex,
    head: Buffer,
    agreed: Pick<StationHandshake, 'subprotocol' | 'version'>,
    onOpen: (socket: StationSocket) => SocketEnd,
  ): void
  /** Sets the function that answers an invalid WebSocket upgrade. */
  onRefused(refuse: (request: IncomingMessage, stream: Duplex, problem: string) => void): void
  /** Stops the sweep and terminates every connection that is still open. */
  close(): void
}

/** How long a station may take to answer a close frame. */
const closeTimeoutMs = 2_000
/** A control frame has at most 125 bytes, two of which are the close code (RFC 6455 §5.5). */
const maxReasonBytes = 123

/** Limit on data beyond one message from a paused socket: `ws` still emits all messages in the data it has read. */
const maxOverrunBytes = 1024 * 1024

export function openSockets(settings: SocketSettings, meter: Meter): Sockets {
  const open = new Set<LiveSocket>()
  const upgradePlainly = new WeakMap<IncomingMessage, () => void>()
  const options = {
    noServer: true,
    clientTracking: false,
    maxPayload: settings.maxMessageSize,
  }
  const plain = new WebSocketServer({ ...options, perMessageDeflate: false })
  const compressing = new WebSocketServer({ ...options, perMessageDeflate: deflate })
  // An offer that cannot be met is declined, but the station is not refused for it (RFC 7692 §5).
  compressing.on('wsClientError', (_error, _stream, request) => upgradePlainly.get(request)?.())
  const patience = patienceOf(settings)
  const sweep = setInterval(() => {
    for (const socket of open) socket.check(patience)
  }, patience.sweepMs)
  return {
    upgrade: (request, stream, head, { subprotocol, version }, onOpen) => {
      // `ws` parses both headers again and refuses what HTTP allows: other protocols in Upgrade (RFC 9110 §7.8), empty
      // or repeated elements in the list of subprotocols (§5.6.1).
      request.headers.upgrade = 'websocket'
      if (subprotocol === null) delete request.headers['sec-websocket-protocol']
      else request.headers['sec-websocket-protocol'] = subprotocol
      const upgradeBy = (server: WebSocketServer): void =>
        server.handleUpgrade(request, stream, head, ws => {
          const socket = new LiveSocket(ws, request.socket, settings, meter)
          open.add(socket)
          ws.once('close', () => open.delete(socket))
          socket.attach(onOpen(socket))
        })
      if (!mayCompress(settings.compression, version)) return upgradeBy(plain)
      upgradePlainly.set(request, () => upgradeBy(plain))
      upgradeBy(compressing)
    },
    onRefused: refuse => {
      plain.on('wsClientError', (error, stream, request) => refuse(request, stream, error.message))
    },
    close: () => {
      clearInterval(sweep)
      for (const socket of open) socket.terminate()
    },
  }
}

/**
 * How many consecutive sweeps may find a station silent. Sweeps are counted instead of comparing times, because a clock
 * that jumps or a process that was suspended would make every station look silent.
 */
type Patience = { readonly sweepMs: number; readonly untilPing: number; readonly untilEnd: number }

function patienceOf({ pingIntervalMs, idleTimeoutMs }: SocketSettings): Patience {
  const sweepMs = Math.max(10, Math.min(pingIntervalMs || Infinity, idleTimeoutMs) / 4)
  const sweeps = (ms: number): number => Math.ceil(ms / sweepMs)
  return { sweepMs, untilPing: sweeps(pingIntervalMs || Infinity), untilEnd: sweeps(idleTimeoutMs) }
}

/** The codes that `ws` closes with for its errors; all others close with 1002. */
const closeCodes: ReadonlyMap<string, number> = new Map([
  ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 1009],
  ['WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH', 1009],
  ['WS_ERR_TOO_MANY_BUFFERED_PARTS', 1008],
  ['Z_DATA_ERROR', 1007],
  ['WS_ERR_INVALID_UTF8', 1007],
  ['ECONNRESET', 1006],
  ['EPIPE', 1006],
])

class LiveSocket implements StationSocket {
  readonly #ws: WebSocket
  readonly #connection: Socket
  readonly #settings: SocketSettings
  readonly #meter: Meter
  /** As of the last sweep. Bytes, not messages: a long message may arrive over many sweeps. */
  #bytesRead = -1
  #silentSweeps = 0
  #overrunBytes = 0
  /** The code and reason with which this side ended the connection, if it did. */
  #ending: { readonly code: number; readonly reason: string } | null = null

  constructor(ws: WebSocket, connection: Socket, settings: SocketSettings, meter: Meter) {
    this.#ws = ws
    this.#connection = connection
    this.#settings = settings
    this.#meter = meter
  }

  attach(end: SocketEnd): void {
    const ws = this.#ws
    ws.on('message', data => {
      if (this.#ending !== null) return
      const bytes = bytesOf(data)
      this.#meter.count('data_rcvd_total', {}, bytes.length)
      if (ws.isPaused && this.#isFlooded(bytes.length)) return
      end.receive(bytes.toString(), bytes.length)
    })
    // `ws` closes the connection on its own, and then reports code 1006.
    ws.on('error', (error: Error & { code?: string }) => {
      this.#ending ??= { code: closeCodes.get(error.code ?? '') ?? 1002, reason: error.message }
    })
    ws.on('close', (code, reason) => end.gone(this.#ending?.code ?? code, this.#ending?.reason ?? reason.toString()))
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
    if (this.#ws.readyState !== WebSocket.OPEN) return
    this.#ws.resume()
    this.#closeWithin(code, reason)
  }

  pause(): void {
    this.#ws.pause()
  }

  resume(): void {
    if (this.#ending !== null) return
    this.#overrunBytes = 0
    this.#ws.resume()
  }

  terminate(): void {
    this.#ws.terminate()
  }

  /** One sweep: pings a silent station, and terminates one that is silent for too long. A paused one is not silent. */
  check({ untilPing, untilEnd }: Patience): void {
    const { bytesRead } = this.#connection
    const isSilent = bytesRead === this.#bytesRead && !this.#ws.isPaused
    this.#bytesRead = bytesRead
    this.#silentSweeps = isSilent ? this.#silentSweeps + 1 : 0
    if (!isSilent) return
    if (this.#silentSweeps >= untilEnd) {
      this.#ending ??= { code: 1006, reason: 'Silent for too long' }
      this.#ws.terminate()
    } else if (this.#silentSweeps % untilPing === 0) this.#ws.ping()
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
    this.#closeWithin(this.#ending.code, this.#ending.reason)
    return true
  }

  #closeWithin(code: number, reason: string): void {
    this.#ws.close(code, cut(reason))
    setTimeout(() => this.#ws.terminate(), closeTimeoutMs).unref()
  }
}

function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
}

/** Truncates at a whole character, to fit a close frame. */
function cut(reason: string): string {
  let end = reason.length
  while (Buffer.byteLength(reason.slice(0, end)) > maxReasonBytes) end--
  return reason.slice(0, end)
}
