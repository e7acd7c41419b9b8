/**
 * Where upgrades wait for their turn: the event loop lets a few in, and then looks after those who are connected.
 *
 * Knows nothing of HTTP, and no clock but the one it is given. It holds no timer: there is nothing to close.
 */

/** Somebody who wants to come in. */
export type Arrival = {
  /** One that is gone by its turn is passed over. */
  readonly stream: { readonly destroyed: boolean }
  /** Must not throw. */
  letIn(): void
}

/** How much of one turn of the event loop goes to those who arrive: some ten upgrades. */
const turnMs = 2

export class Turnstile {
  readonly #now: () => number
  /** In the order in which they came. */
  readonly #line = new Set<Arrival>()
  /** This turn, from the first who was let in. */
  #spentMs = 0
  #isCounting = false

  /** @param now in ms; from when does not matter */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Lets it in at once where nobody waits and this turn has time left; else behind the others. */
  enter(arrival: Arrival): void {
    this.#line.add(arrival)
    this.#letIn(turnMs)
  }

  /** Lets all in who wait, at once. */
  letAllIn(): void {
    this.#letIn(Infinity)
  }

  /** Always at least one a turn, however long it takes. */
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

  /** An immediate comes once sockets have been read: what they had to say is heard before the next are let in. */
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
