/**
 * The WebSockets of stations. The only import of `ws`.
 *
 * Spec: RFC 6455.
 */
import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocket, WebSocketServer, type RawData } from 'ws'
import type { Limit } from '../../ops/metrics.ts'
import type { StationSocket, World } from '../../session/ports.ts'
import { closeModeFor } from '../../translate/closing.ts'
import type { StationId } from '../../translate/handshake.ts'
import { Turnstile } from '../limits/turnstile.ts'
import { closeCodeFor, closeReason, limitOf } from './closing.ts'
import { deflate, mayCompress } from './compression.ts'
import { Intake, settleAt, type IntakeEnd } from './intake.ts'
import { Liveness, Patience } from './liveness.ts'
import { Outgoing } from './outgoing.ts'
import type { Closing, Shared, SocketEnd, SocketSettings, Sockets, Watched } from './ports.ts'
import { Progress } from './progress.ts'
import { ignoreRest, isCompressed, limitMessages, maxFragments, unfinishedBytes } from './receiver.ts'
import { trafficOf } from './traffic.ts'

export type { SocketEnd, SocketSettings, Sockets } from './ports.ts'

/** How long a station may take to answer a close frame. */
const closeTimeoutMs = 2_000
/** How often the watched connections are looked at, for what must not take long; the others at each sweep. */
const lookMs = 250

export function openSockets(
  settings: SocketSettings,
  { meter, once }: Pick<World, 'meter' | 'once'>,
  now = (): number => performance.now(),
): Sockets {
  const open = new Set<LiveSocket>()
  const watched = new Set<Watched>()
  const patience = new Patience(settings)
  const outgoing = new Outgoing(settings, meter, watched)
  const onReplaced = (station: StationId): void => void once('invalid UTF-8', { station }, replacedText, station)
  const shared = { settings, patience, meter, strangers: new Turnstile(now), outgoing, open, watched, now, onReplaced }
  /** What to do for a request that the server refuses. */
  const refused = new WeakMap<IncomingMessage, (problem: string) => void>()
  const plain = newServer(settings, false)
  const compressing = newServer(settings, deflate)
  for (const server of [plain, compressing])
    server.on('wsClientError', (error, _stream, request) => refused.get(request)?.(error.message))
  const sweep = setInterval(() => {
    for (const socket of open) {
      socket.check()
      socket.look(now(), Infinity)
    }
  }, patience.sweepMs)
  const looks = setInterval(() => {
    let unfinished = 0
    for (const socket of watched) unfinished += socket.look(now(), settings.unfinishedSize - unfinished)
  }, lookMs)
  return {
    upgrade: (request, stream, head, { stationId, subprotocol, version }, { onOpen, onRefused }) => {
      // `ws` parses both headers again and refuses what HTTP allows: other protocols in Upgrade (RFC 9110 §7.8), empty
      // or repeated elements in the list of subprotocols (§5.6.1).
      request.headers.upgrade = 'websocket'
      if (subprotocol === null) delete request.headers['sec-websocket-protocol']
      else request.headers['sec-websocket-protocol'] = subprotocol
      const upgradeBy = (server: WebSocketServer, onProblem: (problem: string) => void): void => {
        refused.set(request, onProblem)
        server.handleUpgrade(request, stream, head, ws => {
          const socket = new LiveSocket(ws, request.socket, stationId, shared)
          socket.attach(onOpen(socket))
        })
      }
      const upgradePlainly = (): void => upgradeBy(plain, onRefused)
      if (!mayCompress(settings.compression, version)) return upgradePlainly()
      // An offer that cannot be met is declined, but the station is not refused for it (RFC 7692 §5).
      upgradeBy(compressing, upgradePlainly)
    },
    close: () => {
      clearInterval(sweep)
      clearInterval(looks)
      for (const socket of open) socket.terminate()
    },
  }
}

function newServer(settings: SocketSettings, perMessageDeflate: typeof deflate | false): WebSocketServer {
  return new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // One frame of a connection per turn of the event loop: see `Intake`.
    allowSynchronousEvents: false,
    // Each connection gets limits of its own: see `limitMessages`.
    maxPayload: settings.maxMessageSize,
    skipUTF8Validation: settings.invalidUtf8 === 'replace',
    perMessageDeflate,
  })
}

const replacedText =
  'a station sent bytes that are not UTF-8: they are served as U+FFFD, an idTag with one is not known'

class LiveSocket implements StationSocket, IntakeEnd, Watched {
  readonly #ws: WebSocket
  readonly #connection: Socket
  readonly #stationId: StationId
  readonly #shared: Shared<LiveSocket>
  readonly #liveness: Liveness
  readonly #progress: Progress
  readonly #intake: Intake
  /** Sends messages compressed; `null` where that is not negotiated. */
  readonly #compressing: WebSocket | null
  #end: SocketEnd | null = null
  #messages = 0
  /** Whether it has the credentials that the app accepted before. */
  #isProven = false
  /** The code and reason with which this side ended the connection, if it did. */
  #ending: Closing | null = null

  constructor(ws: WebSocket, connection: Socket, stationId: StationId, shared: Shared<LiveSocket>) {
    const { settings } = shared
    this.#ws = ws
    this.#connection = connection
    this.#stationId = stationId
    this.#shared = shared
    this.#liveness = new Liveness(shared.patience)
    this.#progress = new Progress(settings)
    this.#compressing = isCompressed(ws) ? ws : null
    this.#intake = new Intake(ws, settings, this, shared.strangers, shared.now)
    const bytes = Math.min(settings.unacceptedMessageSize, settings.maxMessageSize)
    limitMessages(ws, { bytes, fragments: maxFragments.unaccepted })
  }

  get isOpen(): boolean {
    return this.#ws.readyState === WebSocket.OPEN
  }

  attach(end: SocketEnd): void {
    const ws = this.#ws
    const { settings, meter, open, watched } = this.#shared
    open.add(this)
    watched.add(this)
    // `ws` has validated the text messages otherwise. Binary ones are served as text, and may hold anything.
    const replaces = settings.invalidUtf8 === 'replace'
    this.#end = end
    ws.on('message', (data, isBinary) => {
      this.#messages++
      if (this.#ending !== null) return
      const bytes = bytesOf(data)
      meter.totals.data_rcvd_total.value += bytes.length
      if ((replaces || isBinary) && !isUtf8(bytes)) this.#shared.onReplaced(this.#stationId)
      const intake = this.#intake
      if (intake.isOpen && intake.unsettled < settleAt) {
        intake.unsettled += Math.max(1, bytes.length / 1024)
        end.receive(bytes.toString(), bytes.length)
      } else intake.onMessage(bytes.toString(), bytes.length)
    })
    ws.on('ping', () => this.#intake.onFrame(0))
    ws.on('pong', () => {
      this.#liveness.onPong()
      this.#intake.onFrame(0)
    })
    // `ws` closes the connection on its own, and then reports code 1006.
    ws.on('error', (error: Error & { readonly code?: string }) =>
      this.#stop(limitOf(error), closeCodeFor(error), error.message),
    )
    ws.on('close', (code, reason) => {
      open.delete(this)
      watched.delete(this)
      const closed = this.#ending ?? { code, reason: reason.toString() }
      this.#intake.whenEmpty(() => end.gone(closed.code, closed.reason))
    })
  }

  receive(text: string, bytes: number): void {
    this.#end?.receive(text, bytes)
  }

  slowed(): void {
    this.#shared.meter.count('ocpp_limit_total', { limit: 'frames' })
  }

  exceeded(limit: 'flood' | 'overrun'): void {
    if (limit === 'overrun') return this.#refuse('overrun', 1009, 'Too much at once')
    this.#refuse('flood', 1008, 'Too many frames before the app accepted the station')
  }

  accept(): void {
    limitMessages(this.#ws, { bytes: this.#shared.settings.maxMessageSize, fragments: maxFragments.accepted })
    this.#intake.accept()
    if (this.#connection.writableLength === 0) this.#shared.watched.delete(this)
  }

  expectLargeMessages(isProven: boolean): boolean {
    if (!isProven && isCompressed(this.#ws)) return false
    this.#isProven = isProven
    limitMessages(this.#ws, { bytes: this.#shared.settings.maxMessageSize, fragments: maxFragments.unaccepted })
    return true
  }

  send(text: string): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return
    const isTaken = this.#shared.outgoing.send(this.#connection, this, text, this.#compressing)
    if (!isTaken) this.#onSlow('Reads too slowly')
  }

  close(code: number, reason: string): void {
    this.#intake.end()
    if (this.#ws.readyState !== WebSocket.OPEN) return
    this.#ws.resume()
    const isCut = closeModeFor(this.#stationId, this.#shared.settings.close) === 'abort'
    if (!isCut || (code !== 1001 && code !== 1012)) return this.#closeWithin(code, reason)
    this.#ending = { code, reason }
    this.#connection.destroySoon()
  }

  /** The socket is still read, within a limit: control frames must not wait for the app (RFC 6455 §5.5.2). */
  pause(): void {
    this.#intake.hold()
  }

  resume(): void {
    this.#intake.release()
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
    this.#connection.uncork()
    this.#ws.terminate()
  }

  /** One sweep: pings a silent station, and terminates one that has left. */
  check(): void {
    const { bytesRead } = this.#connection
    const next = this.#liveness.sweep({ bytesRead, isHeld: this.#intake.isHolding, isPaused: this.#ws.isPaused })
    if (next === 'ping') this.#ws.ping()
    if (next !== 'end') return
    this.#ending ??= { code: 1006, reason: 'Silent for too long' }
    this.#ws.terminate()
  }

  look(now: number, room: number): number {
    if (this.#ending !== null) return 0
    const unfinished = unfinishedBytes(this.#ws)
    const pending = this.#connection.writableLength
    const { arrived, taken } = trafficOf(this.#connection)
    const { isAccepted } = this.#intake
    const message = { messagesBefore: this.#messages, bytes: arrived, mayBeSlow: isAccepted || this.#isProven }
    const arriving = unfinished === null || this.#ws.isPaused ? null : message
    const late = this.#progress.look({ now, arriving, bytesBefore: pending === 0 ? null : taken })
    if (late === 'message') this.#refuse('message_time', 1008, 'A message took too long')
    else if (late === 'write') this.#onSlow('Does not read')
    if (isAccepted && pending === 0) this.#shared.watched.delete(this)
    if (isAccepted || unfinished === null) return 0
    if (unfinished <= room) return unfinished
    this.#refuse('unfinished', 1013, 'Too many unfinished messages')
    return 0
  }

  /** Terminates without a close frame, which would only queue behind the data that the station does not read. */
  #onSlow(reason: string): void {
    this.#shared.meter.count('disconnected_slow_clients_total')
    this.#ending = { code: 1006, reason }
    this.#ws.terminate()
  }

  #refuse(limit: Limit, code: number, reason: string): void {
    this.#intake.end()
    this.#stop(limit, code, reason)
  }

  /** Closes, and reads nothing more, not even the station's close frame: it would come behind what the limit is about. */
  #stop(limit: Limit | null, code: number, reason: string): void {
    if (limit !== null) this.#shared.meter.count('ocpp_limit_total', { limit })
    this.#ending ??= { code, reason }
    this.#intake.stop()
    this.#closeWithin(code, reason)
    ignoreRest(this.#ws)
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
