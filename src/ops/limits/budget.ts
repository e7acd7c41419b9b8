/**
 * A budget that refills with time (a token bucket). It may be overdrawn: what has arrived is there.
 *
 * Pure: the time comes in.
 */

export type Rate = {
  readonly perSecond: number
  /** The most that is saved up. */
  readonly burst: number
}

export class Budget {
  readonly #rate: Rate
  #left: number
  #at: number

  /** Begins full. @param now monotonic, in ms */
  constructor(rate: Rate, now: number) {
    this.#rate = rate
    this.#left = rate.burst
    this.#at = now
  }

  /** The most that is saved up. */
  get burst(): number {
    return this.#rate.burst
  }

  isFull(now: number): boolean {
    return this.spend(0, now) >= this.#rate.burst
  }

  /** @returns what is left; negative if more was spent than there was */
  spend(amount: number, now: number): number {
    const refill = ((now - this.#at) / 1000) * this.#rate.perSecond
    this.#at = now
    this.#left = Math.min(this.#rate.burst, this.#left + refill) - amount
    return this.#left
  }

  /** Spends an amount only if it is there. @returns whether it was */
  take(amount: number, now: number): boolean {
    if (this.spend(amount, now) >= 0) return true
    this.#left += amount
    return false
  }

  /** In how many ms an overdrawn budget is at zero again. */
  msUntilZero(): number {
    return Math.max(0, (-this.#left / this.#rate.perSecond) * 1000)
  }
}
