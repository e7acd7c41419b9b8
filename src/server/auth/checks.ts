/**
 * Runs costly checks a few at a time. The others wait in one queue for each address, and the addresses take turns: a
 * long queue delays its own address only.
 */

export type CheckLimits = {
  readonly atOnce: number
  /** Checks that wait, of one address and in all. */
  readonly waitingOfAddress: number
  readonly waiting: number
}

type Waiting = (isItsTurn: boolean) => void

export class Checks {
  readonly #limits: CheckLimits
  /** By address. The first address has the next turn. */
  readonly #queues = new Map<string, Waiting[]>()
  #waiting = 0
  #running = 0

  constructor(limits: CheckLimits) {
    this.#limits = limits
  }

  /** `null` where too many wait. */
  async run<Result>(address: string, check: () => Promise<Result>): Promise<Result | null> {
    if (this.#running < this.#limits.atOnce) this.#running++
    else if (!(await this.#turnOf(address))) return null
    try {
      return await check()
    } finally {
      // The next one takes this one's place.
      const next = this.#next()
      if (next === null) this.#running--
      else next(true)
    }
  }

  #turnOf(address: string): Promise<boolean> {
    const queue = this.#queues.get(address) ?? []
    if (queue.length >= this.#limits.waitingOfAddress || !this.#makeRoom(queue.length)) return Promise.resolve(false)
    this.#queues.set(address, queue)
    this.#waiting++
    return new Promise(resolve => queue.push(resolve))
  }

  /** Where too many wait in all, the latest one of the longest queue goes, if that queue stays the longer one. */
  #makeRoom(ownLength: number): boolean {
    if (this.#waiting < this.#limits.waiting) return true
    let longest: Waiting[] = []
    for (const queue of this.#queues.values()) if (queue.length > longest.length) longest = queue
    if (longest.length - 1 <= ownLength) return false
    longest.pop()?.(false)
    this.#waiting--
    return true
  }

  #next(): Waiting | null {
    for (const [address, queue] of this.#queues) {
      this.#queues.delete(address)
      const next = queue.shift()
      if (queue.length > 0) this.#queues.set(address, queue)
      if (next === undefined) continue
      this.#waiting--
      return next
    }
    return null
  }
}
