/**
 * When stored messages are delivered, and through which sessions: of a few stations at a time, so that the app has room
 * for live messages; while the app does not reply, of one. A station that does not connect for a while needs no
 * session.
 */
import type { DeliveryAttempt, Member, World } from '../../session/ports.ts'
import type { StationId } from '../../translate/handshake.ts'
import type { Backlog } from './backlog.ts'

/** Over all stations. Well below `rpc_concurrency`: live messages are not kept waiting. */
const maxAtOnce = 8
/** After an attempt that got no reply: the time until the next one, of any station, unless the app replies before. */
const pause = { leastMs: 1_000, mostMs: 30_000 }
/** Until the next attempt of a station that could not be attached. */
const unreadyMs = 30_000
/** How long the messages of a station that is not connected wait for its next session. */
const usualAbsentMs = 10 * 60_000

/** Attempts to deliver the messages of one station. */
type Deliverer = { next(): Promise<DeliveryAttempt> }
type ScheduleWorld = Pick<World, 'rpc' | 'now' | 'log'>

export class DeliverySchedule {
  readonly #world: ScheduleWorld
  readonly #backlog: Backlog
  readonly #sessionOf: (stationId: StationId) => Member | null
  readonly #openAbsent: (stationId: StationId) => Promise<Deliverer | null>
  readonly #absentMs: number
  readonly #running = new Set<StationId>()
  /** The stations that this sweep has not looked at yet. */
  #due: Iterator<StationId> | null = null
  #failedAt = -Infinity
  #pausedUntil = 0
  /** Consecutive pauses. */
  #pauses = 0
  #isStopped = false

  /**
   * @param sessionOf the session through which a station's messages go
   * @param openAbsent delivers those of a station without a session; `null` where that cannot be done
   */
  constructor(
    world: ScheduleWorld,
    backlog: Backlog,
    sessionOf: (stationId: StationId) => Member | null,
    openAbsent: (stationId: StationId) => Promise<Deliverer | null>,
    absentMs = usualAbsentMs,
  ) {
    this.#world = world
    this.#backlog = backlog
    this.#sessionOf = sessionOf
    this.#openAbsent = openAbsent
    this.#absentMs = absentMs
  }

  /** Delivers to the app what is due, if the app is there. */
  sweep(): void {
    if (this.#isStopped) return
    const { rpc, now } = this.#world
    this.#due = null
    if (this.#backlog.due().next().done === true) return
    if (rpc.presence.isAway) return void rpc.check()
    const hasReplied = rpc.presence.repliedAt > this.#failedAt
    if (hasReplied) this.#pauses = 0
    if (!hasReplied && now() < this.#pausedUntil) return
    this.#due = this.#backlog.due()
    this.#next()
  }

  /** Delivers nothing more: the bridge is shutting down. */
  stop(): void {
    this.#isStopped = true
    this.#due = null
  }

  #next(): void {
    const limit = this.#pauses === 0 ? maxAtOnce : 1
    while (this.#running.size < limit) {
      const next = this.#due?.next()
      if (next === undefined || next.done === true) return
      const stationId = next.value
      if (this.#running.has(stationId)) continue
      const session = this.#sessionOf(stationId)
      if (session?.isHeard === true) void this.#deliver(stationId, session)
      else if (session === null && this.#backlog.absentMs(stationId) >= this.#absentMs)
        void this.#deliver(stationId, null)
    }
  }

  /** @param session `null` for a station that is not connected: the round ends when it is */
  async #deliver(stationId: StationId, session: Member | null): Promise<void> {
    this.#running.add(stationId)
    const goesOn = (): boolean => !this.#isStopped && (session !== null || this.#sessionOf(stationId) === null)
    const deliverer = session === null ? await this.#openAbsent(stationId) : session.delivering
    let attempt: DeliveryAttempt = deliverer === null ? 'unready' : 'none'
    let messages = 0
    while (deliverer !== null && goesOn()) {
      attempt = await deliverer.next()
      if (attempt === 'delivered') messages++
      else if (attempt !== 'failed') break
    }
    this.#running.delete(stationId)
    // A station that the app refuses comes again and again, and delivers nothing.
    if (session !== null && attempt !== 'refused') this.#backlog.onPresent(stationId)
    if (session === null && messages > 0) this.#world.log.info({ station: stationId, messages }, absentText)
    if (attempt === 'unready' || attempt === 'refused') this.#backlog.postpone(stationId, unreadyMs)
    if (attempt === 'away') this.#pause()
    this.#next()
  }

  /** Attempts in flight at the same time fail together, and pause once. */
  #pause(): void {
    const now = this.#world.now()
    this.#due = null
    this.#failedAt = now
    if (now < this.#pausedUntil) return
    this.#pausedUntil = now + Math.min(pause.leastMs * 2 ** this.#pauses, pause.mostMs)
    this.#pauses++
  }
}

const absentText = 'delivered the stored messages of a station that is not connected'
