/**
 * Takes what the app publishes, and delivers it in its order. A publication that takes time, because it is long or a
 * batch of ten thousand broadcasts, is checked and delivered in slices: between these, stations are served.
 */
import { maxPublicationLength, parseBroadcasts, type Broadcast } from '../../cable/broadcast.ts'
import { alwaysCheap, parsableInSteps, slicing } from '../../ocpp/json.ts'
import { TurnShare } from '../../ops/event-loop/turn-share.ts'

/** Of a turn. A step may exceed it: `JSON.parse` does not stop half-way, nor does the check of a string. */
const sliceMs = 0.5
/** How much of a text one step checks, in characters. */
const stepLength = 16_384
/** In characters. While more waits there are no slices: the app must not publish faster than stations are served. */
const maxWaiting = 16 * 1024 * 1024

export class Publications {
  readonly #deliver: (broadcast: Broadcast) => void
  readonly #share: TurnShare
  #arrived: string[] = []
  /** Those that arrived before, in reverse order: taking one moves no others. */
  #next: string[] = []
  /** Of both. */
  #characters = 0
  /** Of the next text, if it is long. */
  #check: ReturnType<typeof parsableInSteps> | null = null
  /** Of the text that was read last, in reverse order. */
  #broadcasts: Broadcast[] = []

  /**
   * @param deliver throws only for a bug, which ends the process
   * @param now monotonic, in ms
   */
  constructor(deliver: (broadcast: Broadcast) => void, now: () => number) {
    this.#deliver = deliver
    this.#share = new TurnShare(sliceMs, now, () => this.#goOn())
  }

  /** A short text with a single broadcast is delivered at once if nothing waits before it. Never throws. */
  publish(text: string): void {
    if (this.#isEmpty() && text.length <= alwaysCheap) {
      this.#broadcasts = broadcastsIn(text, true)
      if (this.#broadcasts.length === 1) return this.#deliverNext()
    } else {
      this.#arrived.push(text)
      this.#characters += text.length
    }
    this.#goOn()
  }

  #isEmpty(): boolean {
    return this.#arrived.length + this.#next.length + this.#broadcasts.length === 0
  }

  #goOn(): void {
    const step = (): void => (this.#broadcasts.length > 0 ? this.#deliverNext() : this.#readNext())
    while (!this.#isEmpty() && (!this.#share.isSpent || this.#characters > maxWaiting)) this.#share.run(step)
  }

  /** A step of checking a text if it is long; the last one parses it. */
  #readNext(): void {
    if (this.#next.length === 0) {
      this.#next = this.#arrived.toReversed()
      this.#arrived = []
    }
    const text = this.#next.at(-1) ?? ''
    // One that is too long is dropped unread.
    if (text.length > alwaysCheap && text.length <= maxPublicationLength) this.#check ??= parsableInSteps(text)
    const isParsable = this.#check === null ? true : this.#check(stepLength)
    if (isParsable === null) return
    this.#check = null
    this.#next.pop()
    this.#characters -= text.length
    this.#broadcasts = broadcastsIn(text, isParsable)
  }

  #deliverNext(): void {
    const broadcast = this.#broadcasts.pop()
    if (broadcast !== undefined) this.#deliver(broadcast)
  }
}

/** In reverse order. */
function broadcastsIn(text: string, isParsable: boolean): Broadcast[] {
  return parseBroadcasts(text, slicing, isParsable).toReversed()
}
