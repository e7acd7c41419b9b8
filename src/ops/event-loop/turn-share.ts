/**
 * A share of each turn of the event loop, for work that can wait. It begins after the turn's writes.
 *
 * The clock is passed in. Has no timer, so there is nothing to close.
 */
import { afterWrites } from './turn-end.ts'

export class TurnShare {
  readonly #ms: number
  readonly #now: () => number
  readonly #goOn: () => void
  /** In the current turn. */
  #spentMs = 0
  #isScheduled = false

  /**
   * @param now monotonic, in ms
   * @param goOn is called in the turn after one in which work ran
   */
  constructor(ms: number, now: () => number, goOn: () => void) {
    this.#ms = ms
    this.#now = now
    this.#goOn = goOn
  }

  /** Whether nothing is left of it in the current turn. */
  get isSpent(): boolean {
    return this.#spentMs >= this.#ms
  }

  /** Runs work now, however long it takes. It must not throw. */
  run(work: () => void): void {
    this.#scheduleTurn()
    const since = this.#now()
    work()
    this.#spentMs += this.#now() - since
  }

  /** Leaves the rest of the turn to others. */
  spendAll(): void {
    this.#spentMs = Math.max(this.#spentMs, this.#ms)
  }

  #scheduleTurn(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    afterWrites(() => {
      this.#isScheduled = false
      this.#spentMs = 0
      this.#goOn()
    })
  }
}
