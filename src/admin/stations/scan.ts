/**
 * Goes through all stations in slices, so that a scan of ten thousand takes no more than a millisecond of a turn of the
 * event loop, and no more than a fifth of its time. Scans run one after another.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { limits } from '../limits.ts'
import { ProblemError } from '../problems.ts'

const sliceMs = 1
const pauseMs = 4
/** Items between two looks at the clock, which costs more than a look at a station. */
const itemsPerLook = 64

export class Scans {
  readonly #now: () => number
  #last: Promise<void> = Promise.resolve()
  #waiting = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** Rejects with `ProblemError` when too many scans wait. */
  async each<Item>(items: Iterable<Item>, visit: (item: Item) => void, perLook = itemsPerLook): Promise<void> {
    if (this.#waiting >= limits.scans) throw new ProblemError('too-many-requests', `${limits.scans} scans wait`)
    this.#waiting++
    const before = this.#last
    const scan = before.then(() => this.#run(items, visit, perLook))
    this.#last = scan.catch(() => undefined)
    try {
      await scan
    } finally {
      this.#waiting--
    }
  }

  async #run<Item>(items: Iterable<Item>, visit: (item: Item) => void, perLook: number): Promise<void> {
    let since = this.#now()
    let looked = 0
    for (const item of items) {
      visit(item)
      if (++looked % perLook !== 0 || this.#now() - since < sliceMs) continue
      await sleep(pauseMs)
      since = this.#now()
    }
    // Scans that each fit into a slice would otherwise follow each other without a pause.
    await sleep(looked < perLook ? 0 : pauseMs)
  }
}
