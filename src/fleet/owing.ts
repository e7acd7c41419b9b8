/**
 * The stations whose connection was closed over a transaction message: who owes one, who waits outside until the app is
 * back, and who has not returned.
 *
 * Some stations count each send of a message as an attempt, and discard it after three. So a station that owes a message
 * is let in only when there is an app to take it.
 */
import { setRecent } from '../ops/recent.ts'
import type { Debts, World } from '../session/ports.ts'
import type { Tracked } from '../session/transactions/digest.ts'
import type { StationId } from '../translate/handshake.ts'
import { closedOver, type Cause } from '../translate/unanswered.ts'

const maxStations = 100_000
/** A station that has sent nothing for so long has discarded the message, or is served by another bridge. */
const lifeMs = 60 * 60_000
/** A station has few messages that the app raises on. */
const maxMessages = 4
/**
 * An app that hangs shows that it is back only by a reply, and there may be nobody else to reply to: unless the app is known
 * to be away, the station is let in after this time at the latest, less up to half of it.
 */
const longestOutsideMs = 10 * 60_000
/** A station that has not returned by then is named in the log. */
const returnsWithinMs = 10 * 60_000
/** The Retry-After of a station that waits outside, before jitter of half of it. */
const retryAfter = { leastSeconds: 10, stationsPerSecond: 50 }

type Debt = {
  /** When the connection was closed last. */
  readonly at: number
  /** Until when the station may have to wait outside; 0 if it need not. */
  readonly outsideUntil: number
  /** By key, how often the connection was closed over a message for a cause that lies in the message. */
  readonly closes: Map<string, number>
}

/** All times are in ms of `World.now`. */
export class Owing implements Debts {
  readonly #world: Pick<World, 'rpc' | 'now' | 'random' | 'once'>
  readonly #debts = new Map<StationId, Debt>()
  /** Stations that have not returned since their connection was closed, and when that was; oldest first. */
  readonly #gone = new Map<StationId, number>()
  readonly #patience = new Map<StationId, number>()

  constructor(world: Pick<World, 'rpc' | 'now' | 'random' | 'once'>) {
    this.#world = world
  }

  owes(stationId: StationId): boolean {
    return this.#debtOf(stationId) !== null
  }

  closesOf({ stationId, key }: Tracked): number {
    return this.#debtOf(stationId)?.closes.get(key) ?? 0
  }

  onClosed({ stationId, key }: Tracked, cause: Cause): void {
    const { random, now } = this.#world
    const at = now()
    const { closes: most, waitsOutside } = closedOver[cause]
    const closes = this.#debtOf(stationId)?.closes ?? new Map<string, number>()
    if (most < Infinity) setRecent(closes, key, (closes.get(key) ?? 0) + 1, maxMessages)
    const outsideUntil = waitsOutside ? at + longestOutsideMs * (1 - random() / 2) : 0
    setRecent(this.#debts, stationId, { at, outsideUntil, closes }, maxStations)
    setRecent(this.#gone, stationId, at, maxStations)
  }

  /** The messages that the app raises on stay known: the station may send others between two tries of one. */
  onAnswered({ stationId, key }: Tracked): void {
    const debt = this.#debtOf(stationId)
    if (debt === null) return
    debt.closes.delete(key)
    if (debt.closes.size === 0) this.#debts.delete(stationId)
    else this.#debts.set(stationId, { ...debt, outsideUntil: 0 })
  }

  patienceMs(stationId: StationId): number {
    return this.#patience.get(stationId) ?? Infinity
  }

  onResent(stationId: StationId, afterMs: number): void {
    setRecent(this.#patience, stationId, Math.min(afterMs, this.patienceMs(stationId)), maxStations)
  }

  /**
   * Whether a station that asks to connect has to wait outside; asking counts as its return.
   *
   * @returns its Retry-After in seconds, `null` if it may come in
   */
  waitSeconds(stationId: StationId): number | null {
    this.#gone.delete(stationId)
    const { rpc, now, random } = this.#world
    const debt = this.#debtOf(stationId)
    if (debt === null || debt.outsideUntil === 0) return null
    // Each send may count as an attempt: an app that is known to be away cannot take this one either.
    if (now() >= debt.outsideUntil && !rpc.presence.isAway) return null
    const hasReplied = rpc.presence.repliedAt > debt.at
    if (hasReplied && rpc.pending < rpc.capacity) return null
    if (rpc.presence.isAway) void rpc.check()
    const seconds = Math.max(retryAfter.leastSeconds, this.#debts.size / retryAfter.stationsPerSecond)
    return Math.ceil(seconds * (1 + random() / 2))
  }

  /** Names the stations that have not returned in time. */
  warnOfGone(): void {
    const before = this.#world.now() - returnsWithinMs
    for (const [station, at] of this.#gone) {
      if (at > before) return
      this.#gone.delete(station)
      this.#world.once('gone', { station }, goneText, station)
    }
  }

  #debtOf(stationId: StationId): Debt | null {
    const debt = this.#debts.get(stationId)
    if (debt === undefined) return null
    if (this.#world.now() - debt.at < lifeMs) return debt
    this.#debts.delete(stationId)
    return null
  }
}

const goneText =
  'a station has not returned in 10 minutes since its connection was closed over a transaction message: if it never returns after a close, set --ocpp_close=PATTERN:abort'
