/**
 * Disconnect RPCs at a steady rate: a network outage that ends ten thousand sessions at once must not flood the app.
 *
 * Source: AnyCable `node/disconnect_queue.go`.
 */
import type { Farewell, World } from './ports.ts'

export type DisconnectLimits = {
  /** Not given: `auto`, which is `always` for whom the app itself let in, as it does every station. */
  readonly mode?: 'auto' | 'always' | 'never'
  readonly ratePerSecond: number
  /** How many may wait; one more is lost, counted and logged. */
  readonly backlog: number
}

type Waiting = { readonly run: () => Promise<void>; readonly resolve: () => void }

/** How many are under way at once when all are to be made. */
const flushPool = 16

export class Disconnects {
  readonly #limits: DisconnectLimits
  readonly #world: Pick<World, 'meter' | 'once'>
  readonly #waiting = new Set<Waiting>()
  readonly #underWay = new Set<Waiting>()
  #isTicking = false
  #isFlushing = false
  #lost = 0

  constructor(limits: DisconnectLimits, world: Pick<World, 'meter' | 'once'>) {
    this.#limits = limits
    this.#world = world
  }

  get size(): number {
    return this.#waiting.size
  }

  /** How many were lost since `flush`. */
  get lost(): number {
    return this.#lost
  }

  /** @param disconnect the RPC; its rejection is counted as a loss */
  add(disconnect: () => Promise<void>): Farewell {
    if (this.#limits.mode === 'never') return { done: Promise.resolve(), hurry: () => undefined }
    let resolve: () => void = () => undefined
    const done = new Promise<void>(settled => (resolve = settled))
    const waiting: Waiting = { run: disconnect, resolve }
    if (this.#waiting.size >= this.#limits.backlog && !this.#isFlushing) {
      this.#onLost(new Error('the backlog of Disconnect calls is full'))
      resolve()
      return { done, hurry: () => undefined }
    }
    this.#waiting.add(waiting)
    this.#schedule()
    return { done, hurry: () => this.#start(waiting) }
  }

  /** From now on without the rate and without a bound, as many at once as the app bears: the bridge is going. */
  flush(): void {
    this.#isFlushing = true
    this.#lost = 0
    this.#schedule()
  }

  /** No time is left: those that wait, and those whose reply is not there, are lost. */
  giveUp(): void {
    const error = new Error('no time was left')
    for (const waiting of [...this.#waiting, ...this.#underWay]) {
      this.#onLost(error)
      waiting.resolve()
    }
    this.#waiting.clear()
    this.#underWay.clear()
  }

  #schedule(): void {
    if (this.#isFlushing) while (this.#underWay.size < flushPool && this.#startNext());
    else if (!this.#isTicking) this.#tickIn(0)
  }

  #tickIn(ms: number): void {
    this.#isTicking = true
    setTimeout(() => {
      this.#isTicking = false
      if (this.#startNext()) this.#tickIn(1000 / this.#limits.ratePerSecond)
    }, ms)
  }

  #startNext(): boolean {
    const [next] = this.#waiting
    if (next !== undefined) this.#start(next)
    return next !== undefined
  }

  #start(waiting: Waiting): void {
    if (this.#waiting.delete(waiting)) void this.#run(waiting)
  }

  async #run(waiting: Waiting): Promise<void> {
    this.#underWay.add(waiting)
    try {
      await waiting.run()
    } catch (error) {
      if (this.#underWay.has(waiting)) this.#onLost(error)
    }
    this.#underWay.delete(waiting)
    waiting.resolve()
    if (this.#isFlushing) this.#schedule()
  }

  #onLost(error: unknown): void {
    this.#lost++
    this.#world.meter.count('disconnect_lost_total')
    this.#world.once('disconnect lost', { error }, 'the app was not told that a station has left')
  }
}
