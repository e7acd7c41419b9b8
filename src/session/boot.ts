/**
 * Whether a station has been accepted on this connection, what may pass until it is, and how long it may be silent.
 *
 * Spec: OCPP 1.6 §4.2 and errata J 2025-04 §3.10; OCPP 2.0.1 Part 2 B01 to B03.
 */
import type { Call } from '../ocpp/frame.ts'
import { parseObject, type JsonText } from '../ocpp/json.ts'
import type { VersionRow } from '../ocpp/version.ts'
import type { StationId } from '../translate/handshake.ts'
import type { KnownStations } from './known-stations.ts'
import type { StationSocket } from './ports.ts'

/**
 * `unknown` until this connection has seen the answer to a boot; everything passes until then, because a station that
 * reconnects does not boot again (OCPP 2.1 Part 4 §5.4).
 */
type BootStatus = 'unknown' | 'accepted' | 'pending' | 'rejected'

const statuses: ReadonlyMap<unknown, BootStatus> = new Map([
  ['Accepted', 'accepted'],
  ['Pending', 'pending'],
  ['Rejected', 'rejected'],
])

type Booting = {
  readonly row: VersionRow
  readonly socket: Pick<StationSocket, 'expectHeartbeats'>
  readonly handshake: { readonly stationId: StationId }
}

export class Boot {
  readonly #station: Booting
  readonly #known: KnownStations
  #status: BootStatus = 'unknown'
  /** What commands asked for; `null` before one did. */
  #triggered: Set<string> | null = null
  #isPutOff = false

  constructor(station: Booting, known: KnownStations) {
    this.#station = station
    this.#known = known
    // A station that reconnects without a boot keeps the interval that it was told.
    const intervalMs = known.heartbeatIntervalOf(station.handshake.stationId)
    if (intervalMs !== null) station.socket.expectHeartbeats(intervalMs)
  }

  get status(): BootStatus {
    return this.#status
  }

  /** Whether this connection has seen no answer to a boot. */
  get isUnknown(): boolean {
    return this.#status === 'unknown'
  }

  /** Whether the bridge put off the boot, because the app failed. */
  get isPutOff(): boolean {
    return this.#isPutOff
  }

  /**
   * Reads the answer that the station gets: its status, and the interval. Whatever the status, the station need not say
   * anything before the interval is over: it is that of heartbeats, or the time until the next boot.
   *
   * @param isPutOff whether the bridge gave the answer, because the app failed
   */
  onAnswer(payload: JsonText, isPutOff = false): void {
    const { status, interval } = parseObject(payload)
    this.#status = statuses.get(status) ?? this.#status
    this.#isPutOff = isPutOff
    this.#triggered = null
    if (typeof interval === 'number' && interval > 0) this.#onInterval(interval, status === 'Accepted')
  }

  /** Reads a station's answer to a command, which may change its heartbeat interval. */
  onCommandAnswer({ action, payload }: Call, answer: JsonText): void {
    const { row } = this.#station
    if (action !== row.configurationCommand) return
    const interval = row.heartbeatInterval(parseObject(payload), parseObject(answer))
    if (interval !== null) this.#onInterval(interval, true)
  }

  /** While pending, a command may ask for a message that would otherwise be refused (B02.FR.02). */
  onCommand({ action, payload }: Call): void {
    if (this.#status !== 'pending') return
    this.#triggered ??= new Set()
    for (const triggered of this.#station.row.triggeredBy(action, parseObject(payload))) this.#triggered.add(triggered)
  }

  /**
   * Whether a station's CALL may pass; otherwise it is refused with SecurityError (B01.FR.10, B02.FR.09, B03.FR.07).
   */
  passesCall(action: string): boolean {
    if (this.#status === 'unknown' || this.#status === 'accepted') return true
    return action === 'BootNotification' || (this.#status === 'pending' && this.#triggered?.has(action) === true)
  }

  passesCommand(action: string): boolean {
    if (this.#status === 'pending') return !this.#station.row.refusedWhilePending.has(action)
    return this.#status !== 'rejected'
  }

  /** @param isKept whether it outlives the connection, as the time until the next boot does not */
  #onInterval(seconds: number, isKept: boolean): void {
    const { socket, handshake } = this.#station
    socket.expectHeartbeats(seconds * 1000)
    if (isKept) this.#known.keepHeartbeatInterval(handshake.stationId, seconds * 1000)
  }
}
