/**
 * Stations' WebSockets. The only import of `ws`.
 *
 * Spec: RFC 6455; liveness by OCPP-J 1.6 §7 and OCPP 2.0.1 Part 4 §8.4 (any byte of a station counts as life).
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
  /** In bytes; a longer message ends the connection with 1009. */
  readonly maxMessageSize: number
  /** Bytes that may wait for a station that does not read; 0: no limit. */
  readonly maxPendingSize: number
  /** 0: no pings. */
  readonly pingIntervalMs: number
  readonly idleTimeoutMs: number
  readonly compression: Compression
}

/** What becomes of a socket, told to whoever it was opened for. */
export interface SocketEnd {
  /** @param bytes the message's size */
  receive(text: string, bytes: number): void
  gone(code: number, reason: string): void
}

export interface Sockets {
  /**
   * Finishes an upgrade.
   *
   * @param agreed the subprotocol to be echoed, `null` if the station offered none, and the version that it stands for
   * @param onOpen called once, with the open socket
   */
  upgrade(
    request: IncomingMessage,
    stream: Duplex,
    head: Buffer,
    agreed: Pick<StationHandshake, 'subprotocol' | 'version'>,
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

/** What a station may send beyond one message while it is paused: what has come by then is read to its end. */
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
  // An offer that cannot be met is declined, and no reason to refuse the station (RFC 7692 §5).
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
 * How many sweeps in a row may find a station silent. Not by the clock: when it jumps, or when this process stood
 * still, no station has been silent.
 */
type Patience = { readonly sweepMs: number; readonly untilPing: number; readonly untilEnd: number }

function patienceOf({ pingIntervalMs, idleTimeoutMs }: SocketSettings): Patience {
  const sweepMs = Math.max(10, Math.min(pingIntervalMs || Infinity, idleTimeoutMs) / 4)
  const sweeps = (ms: number): number => Math.ceil(ms / sweepMs)
  return { sweepMs, untilPing: sweeps(pingIntervalMs || Infinity), untilEnd: sweeps(idleTimeoutMs) }
}

/** What `ws` closes with for its errors; with 1002 for all others. */
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
  /** What the last sweep found: bytes, for a long message comes in over many sweeps. */
  #bytesRead = -1
  #silentSweeps = 0
  #overrunBytes = 0
  /** What this side ended the connection with, if it did. */
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
    // `ws` closes the connection by itself, and then tells 1006 of it.
    ws.on('error', (error: Error & { code?: string }) => {
      this.#ending ??= { code: closeCodes.get(error.code ?? '') ?? 1002, reason: error.message }
    })
    ws.on('close', (code, reason) => end.gone(this.#ending?.code ?? code, this.#ending?.reason ?? reason.toString()))
  }

  /**
   * What waited for the station before this is looked at, and not what waits here to be compressed: neither one large
   * message makes a station slow, nor do we.
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

  /** One sweep: pings a silent station; ends one that has been silent too long. A paused one is busy, not silent. */
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

  /** It does not read: a close frame would only wait behind the rest. */
  #onSlow(): void {
    this.#meter.count('disconnected_slow_clients_total')
    this.#ending = { code: 1006, reason: 'Too slow to read' }
    this.#ws.terminate()
  }

  /** `ws` does not stop in the middle of what it has read, and that may inflate to a thousand times its size. */
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

/** The longest beginning of whole characters that fits a close frame. */
function cut(reason: string): string {
  let end = reason.length
  while (Buffer.byteLength(reason.slice(0, end)) > maxReasonBytes) end--
  return reason.slice(0, end)
}
