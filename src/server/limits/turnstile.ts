/**
 * A queue that limits the time its work takes per turn of the event loop: upgrades, so that a wave of reconnects does not
 * delay the stations already connected, and the messages of those that the app has not accepted yet.
 *
 * Independent of HTTP; the clock is passed in. Has no timer, so there is nothing to close.
 */

/** A pending upgrade, or a message. */
export type Arrival = {
  /** One whose stream has been destroyed is skipped. */
  readonly stream: { readonly destroyed: boolean }
  /** Does the work. Must not throw. */
  letIn(): void
}

/** Per turn of the event loop: enough for about ten upgrades. */
const turnMs = 2

export class Turnstile {
  readonly #now: () => number
  /** In order of arrival. */
  readonly #line = new Set<Arrival>()
  /** Time spent in the current turn. */
  #spentMs = 0
  #isCounting = false
  #isRunning = false

  /** @param now in ms, from any origin */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Runs it at once if none is queued and the current turn has time left; otherwise queues it. */
  enter(arrival: Arrival): void {
    this.#line.add(arrival)
    // What enters from within is next in the loop that runs.
    if (!this.#isRunning) this.#letIn(turnMs)
  }

  /** Runs all that is queued now. */
  letAllIn(): void {
    this.#letIn(Infinity)
  }

  /** Runs at least one per turn, however long it takes. */
  #letIn(limitMs: number): void {
    this.#isRunning = true
    for (const arrival of this.#line) {
      if (this.#spentMs >= limitMs) break
      this.#line.delete(arrival)
      if (arrival.stream.destroyed) continue
      this.#count()
      const since = this.#now()
      arrival.letIn()
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
      this.#letIn(turnMs)
    })
  }
}
