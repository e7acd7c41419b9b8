/**
 * The stations whose connection was closed over a transaction message: who owes one, who waits outside until the app is
 * back, and who has not returned.
 *
 * Some stations count each send of a message as an attempt, and discard it after three. So a station that owes a
 * message is let in only when there is an app to take it.
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
 * An app that hangs shows that it is back only by a reply, and there may be nobody else to reply to: unless the app is
 * known to be away, the station is let in after this time at the latest, less up to half of it.
 */
const longestOutsideMs = 10 * 60_000
/** A station that has not returned by then is named in the log. */
const returnsWithinMs = 10 * 60_000
/** The Retry-After of a station that waits outside, before jitter of half of it. */
const retryAfter = { leastSeconds: 10, stationsPerSecond: 50 }

/**
 * After a second close because Connect raised, although the app has accepted others: at least so long, doubled for each
 * further close.
 */
const unacceptedMs = { least: 60_000, most: longestOutsideMs / 2 }

/** A wait outside. */
type Outside = {
  readonly kind: Exclude<(typeof closedOver)[Cause]['waitsOutside'], false>
  /** Whatever the app does, the station waits until then. */
  readonly from: number
  /** Whatever the app does, the station may come in then. */
  readonly until: number
  /** What `#signOf` was when the wait began: another value ends the wait. */
  readonly sign: number
  /** How many waits of this kind have followed each other. */
  readonly inARow: number
}

type Debt = {
  /** When the connection was closed last. */
  readonly at: number
  /** `null` if the station need not wait. */
  readonly outside: Outside | null
  /**
   * By content, how often the connection was closed over a message for a cause that lies in the message. The key of a
   * station without a clock has the message's id, which may be another one at each retry.
   */
  readonly closes: Map<string, number>
}

/** All times are in ms of `World.now`. */
export class Owing implements Debts {
  readonly #world: Pick<World, 'rpc' | 'now' | 'random' | 'once'>
  /** By `debtorOf`. */
  readonly #debts = new Map<string, Debt>()
  /** Stations that have not returned since their connection was closed, and when that was; oldest first. */
  readonly #gone = new Map<StationId, number>()
  readonly #patience = new Map<StationId, number>()
  /** How many times the app has accepted a station. */
  #accepted = 0

  constructor(world: Pick<World, 'rpc' | 'now' | 'random' | 'once'>) {
    this.#world = world
  }

  owes(stationId: StationId, digest = ''): boolean {
    return this.#debtOf(debtorOf(stationId, digest)) !== null
  }

  closesOf({ stationId, content }: Tracked, digest = ''): number {
    return this.#debtOf(debtorOf(stationId, digest))?.closes.get(content) ?? 0
  }

  onClosed({ stationId, content }: Tracked, cause: Cause, digest = ''): void {
    const debtor = debtorOf(stationId, digest)
    const at = this.#world.now()
    const { closes: most, waitsOutside } = closedOver[cause]
    const before = this.#debtOf(debtor)
    const closes = before?.closes ?? new Map<string, number>()
    if (most < Infinity) setRecent(closes, content, (closes.get(content) ?? 0) + 1, maxMessages)
    const outside = waitsOutside === false ? null : this.#outside(waitsOutside, at, before?.outside ?? null)
    setRecent(this.#debts, debtor, { at, outside, closes }, maxStations)
    setRecent(this.#gone, stationId, at, maxStations)
  }

  /** The messages that the app raises on stay known: the station may send others between two tries of one. */
  onAnswered({ stationId, content }: Tracked, digest = ''): void {
    const debtor = debtorOf(stationId, digest)
    const debt = this.#debtOf(debtor)
    if (debt === null) return
    debt.closes.delete(content)
    if (debt.closes.size === 0) this.#debts.delete(debtor)
    else this.#debts.set(debtor, { ...debt, outside: null })
  }

  /** The app has accepted a station. */
  onAccepted(): void {
    this.#accepted++
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
  waitSeconds(stationId: StationId, digest = ''): number | null {
    this.#gone.delete(stationId)
    const { rpc, now, random } = this.#world
    const outside = this.#debtOf(debtorOf(stationId, digest))?.outside ?? null
    // Each send may count as an attempt: an app that is known to be away cannot take this one either.
    if (outside === null || (now() >= outside.until && !rpc.presence.isAway)) return null
    const leftMs = outside.from - now()
    const hasSign = this.#signOf(outside.kind) !== outside.sign
    if (hasSign && leftMs <= 0 && rpc.pending < rpc.capacity) return null
    if (rpc.presence.isAway) void rpc.check()
    const seconds = Math.max(retryAfter.leastSeconds, this.#debts.size / retryAfter.stationsPerSecond, leftMs / 1000)
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

  #outside(kind: Outside['kind'], at: number, before: Outside | null): Outside {
    const inARow = before?.kind === kind ? before.inARow + 1 : 1
    const isLonger = kind === 'untilAccepted' && inARow > 1
    const leastMs = isLonger ? Math.min(unacceptedMs.least * 2 ** (inARow - 2), unacceptedMs.most) : 0
    const until = at + longestOutsideMs * (1 - this.#world.random() / 2)
    return { kind, from: at + leastMs, until, sign: this.#signOf(kind), inARow }
  }

  /**
   * Changes when the app shows that it can do what the station waits for; a time would not tell two events of one ms
   * apart.
   */
  #signOf(kind: Outside['kind']): number {
    return kind === 'untilReply' ? this.#world.rpc.presence.repliedAt : this.#accepted
  }

  #debtOf(debtor: string): Debt | null {
    const debt = this.#debts.get(debtor)
    if (debt === undefined) return null
    if (this.#world.now() - debt.at < lifeMs) return debt
    this.#debts.delete(debtor)
    return null
  }
}

/** A peer with other credentials is another debtor: it must not keep the station out. */
function debtorOf(stationId: StationId, digest: string): string {
  return `${digest} ${stationId}`
}

const goneText =
  'a station has not returned in 10 minutes since its connection was closed over a transaction message: if it never returns after a close, set --ocpp_close=PATTERN:abort'
