/**
 * A queue that limits the time its work takes per turn of the event loop: all that comes from stations that the app has
 * not accepted, from the connection to its end, so that neither a wave of reconnects nor an attack delays the accepted
 * ones.
 *
 * Independent of HTTP; the clock is passed in. Has no timer, so there is nothing to close.
 */

/** A connection, an upgrade, data, a message, the end of a connection. Must not throw. */
type Work = () => void

/**
 * Per turn of the event loop: enough for about five upgrades. A call of an accepted station takes three turns, with the
 * app's answer.
 */
export const turnMs = 1

/** Where work waits for its turn. */
export type Line = Pick<Turnstile, 'enter'>

export class Turnstile {
  readonly #now: () => number
  /** In order of arrival, each with whether it goes on. */
  readonly #line = new Map<Work, boolean>()
  /** Time spent in the current turn. */
  #spentMs = 0
  #isCounting = false
  #isRunning = false

  /** @param now in ms, from any origin */
  constructor(now: () => number) {
    this.#now = now
  }

  /**
   * Runs it at once if none is queued and the current turn has time left; otherwise queues it.
   *
   * @param goesOn whether it goes on after it has returned, for how long is unknown: nothing else runs in that turn
   */
  enter(work: Work, goesOn = false): void {
    this.#line.set(work, goesOn)
    // What enters from within is next in the loop that runs.
    if (!this.#isRunning) this.#run(turnMs)
  }

  /** Runs all that is queued now. */
  runAll(): void {
    this.#run(Infinity)
  }

  /** Runs at least one per turn, however long it takes. */
  #run(limitMs: number): void {
    this.#isRunning = true
    for (const [work, goesOn] of this.#line) {
      if (this.#spentMs >= limitMs) break
      this.#line.delete(work)
      this.#count()
      const since = this.#now()
      work()
      this.#spentMs += goesOn ? turnMs : this.#now() - since
    }
    this.#isRunning = false
  }

  /** Starts the next turn with an immediate, which runs after the sockets have been read. */
  #count(): void {
    if (this.#isCounting) return
    this.#isCounting = true
    setImmediate(() => {
      this.#isCounting = false
      this.#spentMs = 0
      this.#run(turnMs)
    })
  }
}
