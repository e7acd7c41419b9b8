/**
 * Stations' WebSockets. The only import of `ws`.
 *
 * Spec: RFC 6455; liveness by OCPP-J 1.6 §7 and OCPP 2.0.1 Part 4 §8.4 (any byte of a station counts as life).
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer, type RawData } from 'ws'
import type { Meter } from '../ops/metrics.ts'
import type { StationSocket } from '../station/ports.ts'

export type SocketSettings = {
  /** In bytes; a longer message ends the connection with 1009. */
  readonly maxMessageSize: number
  /** Bytes that may wait for a station that does not read; 0: no limit. */
  readonly maxPendingSize: number
  /** 0: no pings. */
  readonly pingIntervalMs: number
  readonly idleTimeoutMs: number
}

/** What becomes of a socket, told to whoever it was opened for. */
export interface SocketEnd {
  receive(text: string): void
  gone(code: number, reason: string): void
}

export interface Sockets {
  /**
   * Finishes an upgrade.
   *
   * @param subprotocol to be echoed; `null` if the station offered none
   * @param onOpen called once, with the open socket
   */
  upgrade(
    request: IncomingMessage,
    stream: Duplex,
    head: Buffer,
    subprotocol: string | null,
    onOpen: (socket: StationSocket) => SocketEnd,
  ): void
  /** An upgrade that is no WebSocket's; `refuse` answers it. */
  onRefused(refuse: (request: IncomingMessage, stream: Duplex, problem: string) => void): void
  /** Ends the sweep, and every connection that has not ended by itself. */
  close(): void
}

/** How long a station may take to answer a close frame. */
const closeTimeoutMs = 2_000
/** The longest reason in bytes: a control frame holds 125, two are the code's (RFC 6455 §5.5). */
const maxReasonBytes = 123

export function openSockets(settings: SocketSettings, meter: Meter): Sockets {
  const open = new Set<LiveSocket>()
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: settings.maxMessageSize,
    handleProtocols: (_offered, request) => subprotocols.get(request) ?? false,
  })
  const subprotocols = new WeakMap<IncomingMessage, string>()
  const sweepMs = Math.max(10, Math.min(settings.pingIntervalMs || Infinity, settings.idleTimeoutMs) / 4)
  const sweep = setInterval(() => {
    for (const socket of open) socket.check(Date.now())
  }, sweepMs)
  return {
    upgrade: (request, stream, head, subprotocol, onOpen) => {
      if (subprotocol !== null) {
        subprotocols.set(request, subprotocol)
        // `ws` reads the header again, and refuses what HTTP allows: empty elements, and one twice (RFC 9110 §5.6.1).
        request.headers['sec-websocket-protocol'] = subprotocol
      }
      server.handleUpgrade(request, stream, head, ws => {
        const socket = new LiveSocket(ws, settings, meter)
        open.add(socket)
        ws.once('close', () => open.delete(socket))
        socket.attach(onOpen(socket))
      })
    },
    onRefused: refuse => {
      server.on('wsClientError', (error, stream, request) => refuse(request, stream, error.message))
    },
    close: () => {
      clearInterval(sweep)
      for (const socket of open) socket.terminate()
    },
  }
}

/** What `ws` closes with for its errors; with 1002 for all others. */
const closeCodes: ReadonlyMap<string, number> = new Map([
  ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 1009],
  ['WS_ERR_INVALID_UTF8', 1007],
  ['ECONNRESET', 1006],
  ['EPIPE', 1006],
])

class LiveSocket implements StationSocket {
  readonly #ws: WebSocket
  readonly #settings: SocketSettings
  readonly #meter: Meter
  #heardAt = Date.now()
  #pingedAt = 0
  /** What this side ended the connection with, if it did. */
  #ending: { readonly code: number; readonly reason: string } | null = null

  constructor(ws: WebSocket, settings: SocketSettings, meter: Meter) {
    this.#ws = ws
    this.#settings = settings
    this.#meter = meter
  }

  attach(end: SocketEnd): void {
    const ws = this.#ws
    ws.on('message', data => {
      this.#onHeard()
      const bytes = bytesOf(data)
      this.#meter.count('data_rcvd_total', {}, bytes.length)
      end.receive(bytes.toString())
    })
    ws.on('ping', () => this.#onHeard())
    ws.on('pong', () => this.#onHeard())
    // `ws` closes the connection by itself, and then tells 1006 of it.
    ws.on('error', (error: Error & { code?: string }) => {
      this.#ending ??= { code: closeCodes.get(error.code ?? '') ?? 1002, reason: error.message }
    })
    ws.on('close', (code, reason) => end.gone(this.#ending?.code ?? code, this.#ending?.reason ?? reason.toString()))
  }

  send(text: string): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return
    this.#meter.count('data_sent_total', {}, Buffer.byteLength(text))
    this.#ws.send(text)
    const { maxPendingSize } = this.#settings
    if (maxPendingSize > 0 && this.#ws.bufferedAmount > maxPendingSize) this.#onSlow()
  }

  close(code: number, reason: string): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return
    this.#ws.resume()
    this.#ws.close(code, cut(reason))
    setTimeout(() => this.#ws.terminate(), closeTimeoutMs).unref()
  }

  pause(): void {
    this.#ws.pause()
  }

  resume(): void {
    this.#ws.resume()
  }

  terminate(): void {
    this.#ws.terminate()
  }

  /** Pings a silent station; ends one that has been silent too long. A paused one is busy, not silent. */
  check(now: number): void {
    if (this.#ws.isPaused) return this.#onHeard()
    const silentMs = now - this.#heardAt
    const { idleTimeoutMs, pingIntervalMs } = this.#settings
    if (silentMs >= idleTimeoutMs) {
      this.#ending = { code: 1006, reason: 'Silent for too long' }
      this.#ws.terminate()
    } else if (pingIntervalMs > 0 && silentMs >= pingIntervalMs && now - this.#pingedAt >= pingIntervalMs) {
      this.#pingedAt = now
      this.#ws.ping()
    }
  }

  /** It does not read: a close frame would only wait behind the rest. */
  #onSlow(): void {
    this.#meter.count('disconnected_slow_clients_total')
    this.#ending = { code: 1006, reason: 'Too slow to read' }
    this.#ws.terminate()
  }

  #onHeard(): void {
    this.#heardAt = Date.now()
  }
}

function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
}

/** The longest beginning of whole characters that fits a close frame. */
function cut(reason: string): string {
  let end = reason.length
  while (Buffer.byteLength(reason.slice(0, end)) > maxReasonBytes) end--
  return reason.slice(0, end)
}
