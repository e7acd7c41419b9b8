/**
 * Disconnect RPCs at a steady rate: a network outage that ends ten thousand sessions at once must not flood the app.
 *
 * Source: AnyCable `node/disconnect_queue.go`.
 */
import type { Farewell, Log } from './ports.ts'
import type { Meter } from '../ops/metrics.ts'

export type DisconnectLimits = {
  readonly ratePerSecond: number
  /** How many may wait; one more is lost, counted and logged. */
  readonly backlog: number
}

type Waiting = { readonly run: () => Promise<void>; readonly resolve: () => void }

export class Disconnects {
  readonly #limits: DisconnectLimits
  readonly #meter: Meter
  readonly #log: Log
  readonly #waiting = new Set<Waiting>()
  readonly #underWay = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | null = null
  #lost = 0

  constructor(limits: DisconnectLimits, meter: Meter, log: Log) {
    this.#limits = limits
    this.#meter = meter
    this.#log = log
  }

  get size(): number {
    return this.#waiting.size
  }

  /** @param disconnect the RPC; its rejection is counted as a loss */
  add(disconnect: () => Promise<void>): Farewell {
    let resolve: () => void = () => undefined
    const done = new Promise<void>(settled => (resolve = settled))
    const waiting: Waiting = { run: disconnect, resolve }
    if (this.#waiting.size >= this.#limits.backlog) {
      this.#onLost(new Error('the backlog of Disconnect calls is full'))
      resolve()
      return { done, hurry: () => undefined }
    }
    this.#waiting.add(waiting)
    this.#timer ??= setTimeout(() => this.#onTick(), 0)
    return { done, hurry: () => this.#start(waiting) }
  }

  /** Makes all that wait, without the rate; ends when the last one has. */
  async flush(): Promise<void> {
    for (const waiting of this.#waiting) this.#start(waiting)
    await Promise.all(this.#underWay)
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** How many have been lost since the start. */
  get lost(): number {
    return this.#lost
  }

  #onTick(): void {
    this.#timer = null
    const [next] = this.#waiting
    if (next === undefined) return
    this.#start(next)
    this.#timer = setTimeout(() => this.#onTick(), 1000 / this.#limits.ratePerSecond)
  }

  #start(waiting: Waiting): void {
    if (!this.#waiting.delete(waiting)) return
    const run = this.#run(waiting)
    this.#underWay.add(run)
    void run.finally(() => this.#underWay.delete(run))
  }

  async #run({ run, resolve }: Waiting): Promise<void> {
    try {
      await run()
    } catch (error) {
      this.#onLost(error)
    }
    resolve()
  }

  #onLost(error: unknown): void {
    this.#lost++
    this.#meter.count('disconnect_lost_total')
    this.#log.debug({ error }, 'a Disconnect call was lost')
  }
}
