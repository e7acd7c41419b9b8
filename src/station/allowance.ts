/**
 * How much a station may say before the app has let it in: whoever has no credentials can have messages read, which costs
 * more than it costs to send them, compressed ones most of all.
 */

/** One message of the usual greatest size, and what a station says beside it. */
const mostBytes = 1024 * 1024 + 64 * 1024
/** What a station that waits for a sick app goes on saying is far less. */
const refillPerSecond = 16 * 1024

export class Allowance {
  #left = mostBytes
  #at: number

  /** @param now as `Date` counts */
  constructor(now: number) {
    this.#at = now
  }

  /** @returns whether so many bytes are still allowed */
  take(bytes: number, now: number): boolean {
    const refill = (Math.max(0, now - this.#at) / 1000) * refillPerSecond
    this.#left = Math.min(mostBytes, this.#left + refill) - bytes
    this.#at = now
    return this.#left >= 0
  }
}
