/**
 * Delivers what the app publishes at a stretch, such as a batch of ten thousand broadcasts, in slices, in its order:
 * between slices, stations are served.
 */
import type { Broadcast } from '../../cable/broadcast.ts'
import { afterWrites } from '../../ops/event-loop/turn-end.ts'

/** How long broadcasts are delivered at a stretch. */
const sliceMs = 2
/** Beyond so many characters, slices would let the app publish faster than stations are served: there are none. */
const maxWaiting = 16 * 1024 * 1024

export class Slices {
  /** Whether nothing waits, so that a broadcast may be delivered directly. */
  isEmpty = true
  readonly #deliver: (broadcast: Broadcast) => void
  readonly #now: () => number
  readonly #waiting: Broadcast[] = []
  #characters = 0
  #next: NodeJS.Immediate | undefined

  /**
   * @param deliver throws only for a bug, which ends the process
   * @param now monotonic, in ms
   */
  constructor(deliver: (broadcast: Broadcast) => void, now: () => number) {
    this.#deliver = deliver
    this.#now = now
  }

  /** @param characters the length of the text that held them */
  add(broadcasts: readonly Broadcast[], characters: number): void {
    this.#characters += characters
    for (const broadcast of broadcasts) this.#waiting.push(broadcast)
    if (this.isEmpty || this.#characters > maxWaiting) this.#goOn()
  }

  #goOn(): void {
    clearImmediate(this.#next)
    const until = this.#now() + sliceMs
    let delivered = 0
    for (const broadcast of this.#waiting) {
      if (this.#now() >= until && this.#characters <= maxWaiting) break
      delivered++
      this.#deliver(broadcast)
    }
    this.#waiting.splice(0, delivered)
    this.isEmpty = this.#waiting.length === 0
    if (this.isEmpty) this.#characters = 0
    else this.#next = afterWrites(() => this.#goOn())
  }
}
