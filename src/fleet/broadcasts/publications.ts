/**
 * Takes what the app publishes, and delivers it in its order. A publication that takes time, because it is long or a
 * batch of ten thousand broadcasts, is read and delivered in slices: between these, stations are served.
 */
import { maxPublicationLength, parseBroadcasts, type Broadcast } from '../../cable/broadcast.ts'
import { slicing, weighing } from '../../ocpp/json.ts'
import { afterWrites } from '../../ops/event-loop/turn-end.ts'

/**
 * How much of a turn of the event loop is for publications. A step may take longer: a text is parsed at a stretch, and
 * so is a string of it weighed.
 */
const sliceMs = 0.5
/** In characters. */
const stepLength = 16_384
/** Beyond so many characters, slices would let the app publish faster than stations are served: there are none. */
const maxWaiting = 16 * 1024 * 1024

/** Read texts are removed together: one by one, each would move all that wait. */
const spareTexts = 1_024

export class Publications {
  readonly #deliver: (broadcast: Broadcast) => void
  readonly #now: () => number
  readonly #texts: string[] = []
  /** How many of them are read. */
  #read = 0
  /** Of the first text that is not. */
  #weighing: ReturnType<typeof weighing> | null = null
  /** Of the text that was read last, in reverse order. */
  #broadcasts: Broadcast[] = []
  /** Of all texts since none waited. */
  #characters = 0
  /** In the current turn. */
  #spentMs = 0
  #isScheduled = false

  /**
   * @param deliver throws only for a bug, which ends the process
   * @param now monotonic, in ms
   */
  constructor(deliver: (broadcast: Broadcast) => void, now: () => number) {
    this.#deliver = deliver
    this.#now = now
  }

  /** A short text with a single broadcast is delivered at once if nothing waits before it. Never throws. */
  publish(text: string): void {
    const isNext = this.#isEmpty()
    if (isNext && text.length <= slicing.alwaysCheap) this.#broadcasts = broadcastsIn(text)
    else this.#texts.push(text)
    if (isNext && this.#broadcasts.length === 1) return this.#deliverNext()
    this.#characters += text.length
    this.#goOn()
  }

  #isEmpty(): boolean {
    return this.#read === this.#texts.length && this.#broadcasts.length === 0
  }

  #goOn(): void {
    while (!this.#isEmpty() && (this.#spentMs < sliceMs || this.#characters > maxWaiting)) {
      this.#scheduleTurn()
      const since = this.#now()
      if (this.#broadcasts.length > 0) this.#deliverNext()
      else this.#takeStep(this.#texts[this.#read] ?? '')
      this.#spentMs += this.#now() - since
    }
    if (this.#isEmpty()) this.#characters = 0
  }

  /** Weighs a text that `parseBroadcasts` would weigh. The last step finds the broadcasts. */
  #takeStep(text: string): void {
    if (text.length > slicing.alwaysCheap && text.length <= maxPublicationLength) {
      this.#weighing ??= weighing(text)
      if (!this.#weighing.run(stepLength)) return
    }
    const isParsable = this.#weighing?.isWithin ?? true
    this.#weighing = null
    this.#texts[this.#read++] = ''
    if (this.#read >= spareTexts || this.#read === this.#texts.length) this.#forgetRead()
    this.#broadcasts = broadcastsIn(text, isParsable)
  }

  #forgetRead(): void {
    this.#texts.splice(0, this.#read)
    this.#read = 0
  }

  #deliverNext(): void {
    const broadcast = this.#broadcasts.pop()
    if (broadcast !== undefined) this.#deliver(broadcast)
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

/** In reverse order. */
function broadcastsIn(text: string, isParsable = true): Broadcast[] {
  return parseBroadcasts(text, { ...slicing, isParsable: () => isParsable }).toReversed()
}
