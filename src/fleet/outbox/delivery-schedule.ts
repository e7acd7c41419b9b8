/**
 * When stored messages are delivered, and through which sessions: of a few stations at a time, so that the app has room
 * for live messages; while the app does not reply, of one.
 */
import type { Member, World } from '../../session/ports.ts'
import type { StationId } from '../../translate/handshake.ts'
import type { Backlog } from './backlog.ts'

/** Over all stations. Well below `rpc_concurrency`: live messages are not kept waiting. */
const maxAtOnce = 8
/** After an attempt that got no reply: the time until the next one, of any station, unless the app replies before. */
const pause = { leastMs: 1_000, mostMs: 30_000 }
/** Until the next attempt of a station that could not be attached. */
const unreadyMs = 30_000

export class DeliverySchedule {
  readonly #world: Pick<World, 'rpc' | 'now'>
  readonly #backlog: Backlog
  readonly #sessionOf: (stationId: StationId) => Member | null
  readonly #running = new Set<StationId>()
  /** The stations that this sweep has not looked at yet. */
  #due: Iterator<StationId> | null = null
  #failedAt = -Infinity
  #pausedUntil = 0
  /** Consecutive pauses. */
  #pauses = 0
  #isStopped = false

  /** @param sessionOf the session through which a station's messages go */
  constructor(world: Pick<World, 'rpc' | 'now'>, backlog: Backlog, sessionOf: (stationId: StationId) => Member | null) {
    this.#world = world
    this.#backlog = backlog
    this.#sessionOf = sessionOf
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
    }
  }

  async #deliver(stationId: StationId, { delivering }: Member): Promise<void> {
    this.#running.add(stationId)
    let attempt = await delivering?.next()
    while (!this.#isStopped && (attempt === 'delivered' || attempt === 'failed')) attempt = await delivering?.next()
    this.#running.delete(stationId)
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
