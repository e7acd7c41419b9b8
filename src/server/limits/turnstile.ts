/**
 * A queue that limits the time its work takes per turn of the event loop: upgrades, so that a wave of reconnects does
 * not delay the stations already connected, and the messages of those that the app has not accepted yet.
 *
 * Independent of HTTP; the clock is passed in. Has no timer, so there is nothing to close.
 */

/** An upgrade, or the delivery of a message. Must not throw. */
type Work = () => void

/** Per turn of the event loop: enough for about ten upgrades. */
export const turnMs = 2

export class Turnstile {
  readonly #now: () => number
  /** In order of arrival. */
  readonly #line = new Set<Work>()
  /** Time spent in the current turn. */
  #spentMs = 0
  #isCounting = false
  #isRunning = false

  /** @param now in ms, from any origin */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Runs it at once if none is queued and the current turn has time left; otherwise queues it. */
  enter(work: Work): void {
    this.#line.add(work)
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
    for (const work of this.#line) {
      if (this.#spentMs >= limitMs) break
      this.#line.delete(work)
      this.#count()
      const since = this.#now()
      work()
      this.#spentMs += this.#now() - since
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
