/**
 * One station's WebSocket: what comes in and goes out, how long it may be silent, how it is closed.
 *
 * Spec: RFC 6455.
 */
import { isUtf8 } from 'node:buffer'
import type { Socket } from 'node:net'
import type { Limit } from '../../ops/metrics.ts'
import type { StationSocket } from '../../session/ports.ts'
import { closeModeFor } from '../../translate/closing.ts'
import type { StationId } from '../../translate/handshake.ts'
import { closeCodeFor, closeReason, limitOf } from './closing.ts'
import { Intake, settleAt, type Flow, type IntakeEnd } from './intake.ts'
import { Liveness } from './liveness.ts'
import type { Closing, Shared, SocketEnd, Watched } from './ports.ts'
import { Progress } from './progress.ts'
import {
  ignoreRest,
  isCompressed,
  limitMessages,
  maxFragments,
  parseAtOnce,
  parseInTurn,
  unfinishedBytes,
} from './receiver.ts'
import { trafficOf } from './traffic.ts'

type Data = Buffer | ArrayBuffer | Buffer[]

/** Where a socket below keeps its `LiveSocket`. */
const owner = Symbol('owner')

/** The socket of `ws` below. */
interface Ws extends Flow {
  [owner]?: LiveSocket
  readonly readyState: number
  on(event: 'message', listener: (this: Ws, data: Data, isBinary: boolean) => void): unknown
  on(event: 'ping', listener: (this: Ws, data: Buffer) => void): unknown
  on(event: 'pong', listener: (this: Ws) => void): unknown
  on(event: 'error', listener: (this: Ws, error: Error) => void): unknown
  on(event: 'close', listener: (this: Ws, code: number, reason: Buffer) => void): unknown
  send(text: string): void
  ping(): void
  pong(data: Buffer): void
  close(code: number, reason: string): void
  terminate(): void
}

/** As in the WebSocket API of browsers. */
const openState = 1

export class LiveSocket implements StationSocket, IntakeEnd, Watched {
  readonly #ws: Ws
  readonly #connection: Socket
  readonly #stationId: StationId
  readonly #shared: Shared<LiveSocket>
  readonly #liveness: Liveness
  /** `null` while no message is in progress and nothing waits to be sent: most of the time. */
  #progress: Progress | null = null
  readonly #intake: Intake
  /** Sends messages compressed; `null` where that is not negotiated. */
  readonly #compressing: Ws | null
  #end: SocketEnd | null = null
  #messages = 0
  /** Whether it has the credentials that the app accepted before. */
  #isProven = false
  /** The code and reason with which this side ended the connection, if it did. */
  #ending: Closing | null = null

  constructor(ws: Ws, connection: Socket, stationId: StationId, shared: Shared<LiveSocket>) {
    const { settings } = shared
    this.#ws = ws
    this.#connection = connection
    this.#stationId = stationId
    this.#shared = shared
    this.#liveness = new Liveness(shared.patience)
    this.#compressing = isCompressed(ws) ? ws : null
    this.#intake = new Intake(ws, settings, this, shared.turnstile, shared.now)
    const bytes = Math.min(settings.unacceptedMessageSize, settings.maxMessageSize)
    limitMessages(ws, { bytes, fragments: maxFragments.unaccepted })
    parseInTurn(ws, shared.turnstile)
  }

  get isOpen(): boolean {
    return this.#ws.readyState === openState
  }

  /** @param end gets all that comes in from now on */
  attach(end: SocketEnd): void {
    const ws = this.#ws
    this.#end = end
    this.#shared.open.add(this)
    this.#shared.watched.add(this)
    ws[owner] = this
    ws.on('message', onMessage)
    ws.on('ping', onPing)
    ws.on('pong', onPong)
    ws.on('error', onError)
    ws.on('close', onClose)
  }

  /**
   * `ws` has validated text messages, unless invalid ones are replaced. Binary ones, which may hold anything, are
   * served as text.
   */
  onMessage(bytes: Buffer, isBinary: boolean): void {
    const { settings, meter } = this.#shared
    this.#messages++
    if (this.#ending !== null) return
    meter.totals.data_rcvd_total.value += bytes.length
    const mayBeInvalid = isBinary || settings.invalidUtf8 === 'replace'
    if (mayBeInvalid && !isUtf8(bytes)) this.#shared.onReplaced(this.#stationId)
    const intake = this.#intake
    if (intake.isOpen && intake.unsettled < settleAt) {
      intake.unsettled += Math.max(1, bytes.length / 1024)
      this.#end?.receive(bytes.toString(), bytes.length)
    } else intake.onMessage(bytes.toString(), bytes.length)
  }

  onPing(data: Buffer): void {
    if (this.#intake.isAccepted) this.#pong(data)
    else this.#shared.turnstile.enter(() => this.#pong(data))
    this.#intake.onFrame(0)
  }

  #pong(data: Buffer): void {
    const { maxPendingSize } = this.#shared.settings
    // Of several pings, the latest has to be answered (RFC 6455 §5.5.3).
    if (maxPendingSize > 0 && this.#connection.writableLength > maxPendingSize) return
    this.#ws.pong(data)
    if (this.#connection.writableLength > 0) this.#shared.watched.add(this)
  }

  onPong(): void {
    this.#liveness.onPong()
    this.#intake.onFrame(0)
  }

  /** `ws` closes the connection on its own, and then reports code 1006. */
  onError(error: Error & { readonly code?: string }): void {
    this.#stop(limitOf(error), closeCodeFor(error), error.message)
  }

  onClose(code: number, reason: string): void {
    this.#shared.open.delete(this)
    this.#shared.watched.delete(this)
    const { acceptedBudget } = this.#intake
    if (acceptedBudget !== null) this.#shared.budgets.keep(this.#stationId, acceptedBudget)
    const closed = this.#ending ?? { code, reason }
    this.#intake.whenEmpty(() => this.#end?.gone(closed.code, closed.reason))
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
    parseAtOnce(this.#ws)
    this.#intake.accept(this.#shared.budgets.of(this.#stationId))
    if (this.#connection.writableLength === 0) this.#shared.watched.delete(this)
  }

  expectLargeMessages(isProven: boolean): boolean {
    if (!isProven && isCompressed(this.#ws)) return false
    this.#isProven = isProven
    limitMessages(this.#ws, { bytes: this.#shared.settings.maxMessageSize, fragments: maxFragments.unaccepted })
    return true
  }

  send(text: string): void {
    if (this.#ws.readyState !== openState) return
    const isTaken = this.#shared.outgoing.send(this.#connection, this, text, this.#compressing)
    if (!isTaken) this.#onSlow('Reads too slowly')
  }

  close(code: number, reason: string): void {
    this.#intake.end()
    if (this.#ws.readyState !== openState) return
    this.#ws.resume()
    const isCut = closeModeFor(this.#stationId, this.#shared.settings.close) === 'abort'
    if (!isCut || (code !== 1001 && code !== 1012)) return this.#ws.close(code, closeReason(reason))
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
    // Its rest is ignored once the connection ends.
    const unfinished = this.#ending === null ? unfinishedBytes(this.#ws) : null
    const pending = this.#connection.writableLength
    const { arrived, taken } = trafficOf(this.#connection)
    const { isAccepted } = this.#intake
    const message = { messagesBefore: this.#messages, bytes: arrived, mayBeSlow: isAccepted || this.#isProven }
    const arriving = unfinished === null || this.#ws.isPaused ? null : message
    const bytesBefore = pending === 0 ? null : taken
    if (arriving === null && bytesBefore === null) this.#progress = null
    else this.#progress ??= new Progress(this.#shared.settings)
    const late = this.#progress?.look({ now, arriving, bytesBefore })
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
    this.#ending ??= { code: 1006, reason }
    this.#ws.terminate()
  }

  #refuse(limit: Limit, code: number, reason: string): void {
    this.#intake.end()
    this.#stop(limit, code, reason)
  }

  /** Closes and reads nothing more, not even the station's close frame, which would come behind the violation. */
  #stop(limit: Limit | null, code: number, reason: string): void {
    if (limit !== null) this.#shared.meter.count('ocpp_limit_total', { limit })
    this.#ending ??= { code, reason }
    this.#intake.stop()
    this.#ws.close(code, closeReason(reason))
    ignoreRest(this.#ws)
  }
}

// One listener each for all sockets: of their own, they would take 360 bytes of a connection.

function onMessage(this: Ws, data: Data, isBinary: boolean): void {
  this[owner]?.onMessage(bytesOf(data), isBinary)
}

function onPing(this: Ws, data: Buffer): void {
  this[owner]?.onPing(data)
}

function onPong(this: Ws): void {
  this[owner]?.onPong()
}

function onError(this: Ws, error: Error): void {
  this[owner]?.onError(error)
}

function onClose(this: Ws, code: number, reason: Buffer): void {
  this[owner]?.onClose(code, reason.toString())
}

function bytesOf(data: Data): Buffer {
  if (Buffer.isBuffer(data)) return data
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
}
