/**
 * When a station that cannot be served now is to boot again: a fleet that was put off comes back as fast as the app lets
 * stations in, one after another, and not all at once.
 *
 * No clock and no chance of its own. What it keeps is one time for each connection that was put off, and some counts.
 * Spec: OCPP 1.6 §4.2, OCPP 2.0.1 and 2.1 Part 2 B02 (the `interval` of `Pending`: the least wait for the next boot).
 */

/** How long a station is told to wait. */
const leastMs = 10_000
const mostMs = 10 * 60_000
/** What chance adds to a turn at most, so that no two fleets march in step. */
const chanceMs = 5_000

/** How many stations a second come back to an app that has not shown how fast it is: it had little to do, or was away. */
const assumedPerSecond = 50

/** Over how many seconds the app's pace is looked at, and over how many at least: fewer are an accident. */
const windowSeconds = 10
const shortestStretch = 3

export class Comeback {
  readonly #letIn = new Lately()
  readonly #putOff = new Lately()
  /** When the next turn is free, as `Date` counts. */
  #free = 0
  /** The turns that connections have, as `Date` counts. */
  readonly #turns = new WeakMap<object, number>()

  /**
   * The app has let a station in.
   *
   * @param now as `Date` counts
   */
  onLetIn(now: number): void {
    this.#letIn.add(now)
  }

  /**
   * Puts a station off. One that is too early keeps the turn that it has: who boots without a pause lengthens nobody's
   * wait.
   *
   * @param connection whose turn it is
   * @param random in [0, 1)
   * @returns in how many seconds it is to come back; a whole number
   */
  take(connection: object, now: number, random: number): number {
    const kept = (this.#turns.get(connection) ?? 0) - now
    const waitMs = kept > 0 && kept <= mostMs ? Math.max(kept, leastMs) : this.#next(now, random)
    const seconds = Math.ceil(waitMs / 1000)
    this.#turns.set(connection, now + seconds * 1000)
    return seconds
  }

  /**
   * How long it is until the next free turn, which is then taken. Where the line is as long as a station may wait, there
   * is none: it comes back at any time before the line's end, and takes its chance.
   */
  #next(now: number, random: number): number {
    this.#putOff.add(now)
    const turn = Math.max(this.#free, now + leastMs)
    if (turn > now + mostMs - chanceMs) {
      // Further off only where the clock was set back.
      this.#free = Math.min(this.#free, now + mostMs)
      return leastMs + random * (mostMs - leastMs)
    }
    this.#free = turn + 1000 / this.#perSecond(now)
    return turn - now + random * chanceMs
  }

  /** How fast the app is. What it lets in is all that it can while it puts off more. */
  #perSecond(now: number): number {
    const letIn = this.#letIn.countsAt(now)
    const [, last = 0, lastButOne = 0] = letIn
    const isAtWork = last > 0 && lastButOne > 0
    const isOverrun = isAtWork && sum(this.#putOff.countsAt(now)) > sum(letIn)
    return isOverrun ? best(letIn, now) : Math.max(best(letIn, now), assumedPerSecond)
  }
}

/** How often something happened in each second of the window; kept in a ring. */
class Lately {
  readonly #counts = new Array<number>(windowSeconds).fill(0)
  #second = 0

  add(now: number): void {
    this.#moveTo(now)
    this.#counts[this.#second % windowSeconds] = this.#at(this.#second) + 1
  }

  /** The second that has begun first, then back in time. */
  countsAt(now: number): readonly number[] {
    this.#moveTo(now)
    return this.#counts.map((_, ago) => this.#at(this.#second - ago))
  }

  #at(second: number): number {
    return this.#counts[second % windowSeconds] ?? 0
  }

  /** Forgets what has left the window; all of it where the clock was set back. */
  #moveTo(now: number): void {
    const second = Math.floor(now / 1000)
    const passed = second - this.#second
    if (passed < 0 || passed >= windowSeconds) this.#counts.fill(0)
    else for (let ago = 0; ago < passed; ago++) this.#counts[(second - ago) % windowSeconds] = 0
    this.#second = second
  }
}

/** The most a second over any stretch up to now: else the calm before a storm would count. */
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
