/**
 * A queue of upgrades that limits the time they take per turn of the event loop, so that a wave of reconnects does not
 * delay the stations already connected.
 *
 * Independent of HTTP; the clock is passed in. Has no timer, so there is nothing to close.
 */

/** A pending upgrade. */
export type Arrival = {
  /** An upgrade whose stream has been destroyed is skipped. */
  readonly stream: { readonly destroyed: boolean }
  /** Runs the upgrade. Must not throw. */
  letIn(): void
}

/** Time for upgrades per turn of the event loop, enough for about ten. */
const turnMs = 2

export class Turnstile {
  readonly #now: () => number
  /** In order of arrival. */
  readonly #line = new Set<Arrival>()
  /** Time spent on upgrades in the current turn. */
  #spentMs = 0
  #isCounting = false

  /** @param now in ms, from any origin */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Runs the upgrade at once if none is queued and the current turn has time left; otherwise queues it. */
  enter(arrival: Arrival): void {
    this.#line.add(arrival)
    this.#letIn(turnMs)
  }

  /** Runs all queued upgrades now. */
  letAllIn(): void {
    this.#letIn(Infinity)
  }

  /** Runs at least one upgrade per turn, however long it takes. */
  #letIn(limitMs: number): void {
    for (const arrival of this.#line) {
      if (this.#spentMs >= limitMs) return
      this.#line.delete(arrival)
      if (arrival.stream.destroyed) continue
      this.#count()
      const since = this.#now()
      arrival.letIn()
      this.#spentMs += this.#now() - since
    }
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
