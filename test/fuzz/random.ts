/**
 * Chance that repeats itself: what is drawn is a function of the seeds alone.
 */
export class Random {
  #state = 0x9e3779b9

  /** @param seeds whole numbers; each list of them is a sequence of its own */
  constructor(...seeds: readonly number[]) {
    for (const seed of seeds) {
      this.#state ^= Math.imul(seed | 0, 0x85ebca6b)
      this.next()
    }
  }

  /** In [0, 1), by mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    this.#state ^= mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number of 0 to `below` - 1. */
  integer(below: number): number {
    return Math.floor(this.next() * below)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.integer(items.length)]
    if (item === undefined) throw new Error('nothing to pick from')
    return item
  }
}
