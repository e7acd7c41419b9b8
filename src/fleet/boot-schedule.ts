/**
 * When a station that cannot be served now should boot again: a fleet that was sent away comes back one after another,
 * as fast as the app accepts stations, and not all at once. Stations that the app knows go first: whoever connects
 * while it is away chooses an id, and must not delay them.
 *
 * Has no clock and no randomness of its own. Keeps one time for each station that was sent away, and a few counts.
 * Spec: OCPP 1.6 §4.2, OCPP 2.0.1 and 2.1 Part 2 B02 (the `interval` of `Pending`: the least wait before the next
 * boot).
 */
import { setRecent } from '../ops/recent.ts'

/** How long a station is asked to wait. */
const leastMs = 10_000
const mostMs = 10 * 60_000
/** Jitter on top of a slot, so that two fleets do not retry in sync. */
const jitterMs = 5_000

/** Stations a second for an app whose pace is not known: it had little to do, or was away. */
const assumedPerSecond = 50

/** The seconds over which the app's pace is measured, and the shortest stretch of them that counts. */
const windowSeconds = 10
const shortestStretch = 3
/** Of each line. */
const maxSlots = 100_000

/** A station that is sent away. */
export type Returning = {
  /** The same whenever it boots again: its identity; with its address, if only its word vouches for that. */
  readonly key: string
  readonly isKnown: boolean
}

/** One of the two lines of stations. */
class Line {
  readonly sentAway = new RecentCounts()
  /** When the next slot is free, in ms. */
  free = 0
  /** The slot that each station has, in ms. */
  readonly slots = new Map<string, number>()
}

export class BootSchedule {
  readonly #accepted = new RecentCounts()
  readonly #known = new Line()
  readonly #others = new Line()

  /**
   * Notes that the app has accepted a station.
   *
   * @param now monotonic, in ms
   */
  onAccepted(now: number): void {
    this.#accepted.add(now)
  }

  /**
   * Takes a slot for a station. One that boots again too early keeps its slot, on another connection, too: booting
   * without a pause does not delay other stations.
   *
   * @param random in [0, 1)
   * @returns in how many seconds the station should boot again; a whole number
   */
  take({ key, isKnown }: Returning, now: number, random: number): number {
    const line = isKnown ? this.#known : this.#others
    const left = (line.slots.get(key) ?? 0) - now
    const waitMs = left > 0 ? Math.max(left, leastMs) : this.#next(line, now, random)
    const seconds = Math.ceil(waitMs / 1000)
    setRecent(line.slots, key, now + seconds * 1000, maxSlots)
    return seconds
  }

  /** Takes the next free slot. Beyond the longest wait there is no slot: the station gets a random delay. */
  #next(line: Line, now: number, random: number): number {
    line.sentAway.add(now)
    const slot = Math.max(line.free, this.#known.free, now + leastMs)
    if (slot > now + mostMs - jitterMs) return leastMs + random * (mostMs - leastMs)
    line.free = slot + 1000 / this.#perSecond(line, now)
    return slot - now + random * jitterMs
  }

  /** The app's pace. While more stations are sent away than accepted, what the app accepts is all it can take. */
  #perSecond({ sentAway }: Line, now: number): number {
    const accepted = this.#accepted.countsAt(now)
    const [, last = 0, lastButOne = 0] = accepted
    const isWorking = last > 0 && lastButOne > 0
    const isOverloaded = isWorking && sum(sentAway.countsAt(now)) > sum(accepted)
    return isOverloaded ? best(accepted, now) : Math.max(best(accepted, now), assumedPerSecond)
  }
}

/** How often something happened in each second of the window; kept in a ring. */
class RecentCounts {
  readonly #counts = new Array<number>(windowSeconds).fill(0)
  #second = 0

  add(now: number): void {
    this.#moveTo(now)
    this.#counts[this.#second % windowSeconds] = this.#at(this.#second) + 1
  }

  /** The second in progress first, then back in time. */
  countsAt(now: number): readonly number[] {
    this.#moveTo(now)
    return this.#counts.map((_, ago) => this.#at(this.#second - ago))
  }

  #at(second: number): number {
    return this.#counts[second % windowSeconds] ?? 0
  }

  /** Clears the seconds that have left the window. */
  #moveTo(now: number): void {
    const second = Math.floor(now / 1000)
    const passed = second - this.#second
    if (passed >= windowSeconds) this.#counts.fill(0)
    else for (let ago = 0; ago < passed; ago++) this.#counts[(second - ago) % windowSeconds] = 0
    this.#second = second
  }
}

/** The highest rate over any stretch up to now: an average would count the calm before a storm. */
function best(counts: readonly number[], now: number): number {
  const begun = (now % 1000) / 1000
  let most = 0
  let total = 0
  for (const [ago, count] of counts.entries()) {
    total += count
    if (ago + 1 >= shortestStretch) most = Math.max(most, total / (ago + begun))
  }
  return most
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
