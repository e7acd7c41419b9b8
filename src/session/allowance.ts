/**
 * How many bytes a station may send before the app has accepted it: reading messages costs more than sending them, above all
 * compressed ones, and whoever has no credentials can send them.
 */

/** One message of the default maximum size, and smaller ones beside it. */
const capacityBytes = 1024 * 1024 + 64 * 1024
/** Far more than a station sends while it waits for a slow app. */
const refillPerSecond = 16 * 1024

export class Allowance {
  #left = capacityBytes
  #at: number

  /** @param now monotonic, in ms */
  constructor(now: number) {
    this.#at = now
  }

  /** @returns whether so many bytes are still allowed */
  take(bytes: number, now: number): boolean {
    const refill = ((now - this.#at) / 1000) * refillPerSecond
    this.#left = Math.min(capacityBytes, this.#left + refill) - bytes
    this.#at = now
    return this.#left >= 0
  }
}
