/**
 * Disconnect RPCs at a steady rate: a network outage that ends ten thousand sessions at once must not flood the app. While
 * the app is away they wait for it, so that its restart leaves no station behind that has gone.
 *
 * Source: AnyCable `node/disconnect_queue.go`; unlike there, one that the app cannot have run is not lost at once.
 */
import { RpcError } from '../cable/rpc.ts'
import type { Farewell, World } from './ports.ts'

export type DisconnectLimits = {
  /** `auto` is `always` for whom the app itself let in, as it does every station. */
  readonly mode: 'auto' | 'always' | 'never'
  readonly ratePerSecond: number
  /** How many may wait; one more is lost, counted and logged. */
  readonly backlog: number
}

type Waiting = {
  readonly run: () => Promise<void>
  readonly resolve: () => void
  /** As `Date` counts. */
  readonly since: number
  isHurried: boolean
}

/** How many are under way at once when all are to be made. */
const flushPool = 16
/** While the app is away: how often it is tried at most, and for how long a Disconnect waits for it. */
const away = { pauseMs: 1_000, patienceMs: 10 * 60_000 }

export class Disconnects {
  readonly #limits: DisconnectLimits
  readonly #world: Pick<World, 'meter' | 'once' | 'now'>
  readonly #waiting = new Set<Waiting>()
  readonly #underWay = new Set<Waiting>()
  #isTicking = false
  #isFlushing = false
  /** Since when the app has given none of them a reply, as `Date` counts; `null` while it does. */
  #awaySince: number | null = null
  #lost = 0

  constructor(limits: DisconnectLimits, world: Pick<World, 'meter' | 'once' | 'now'>) {
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

  /**
   * One that is hurried is lost if it fails: told later, the end would come after the subscribe of the station's next
   * connection, and the app would take that one for gone.
   *
   * @param disconnect the RPC; made again later where it rejects and the app cannot have run it, else counted as lost
   */
  add(disconnect: () => Promise<void>): Farewell {
    if (this.#limits.mode === 'never') return { done: Promise.resolve(), hurry: () => undefined }
    let resolve: () => void = () => undefined
    const done = new Promise<void>(settled => (resolve = settled))
    const waiting: Waiting = { run: disconnect, resolve, since: this.#world.now().getTime(), isHurried: false }
    if (this.#isFull() && !this.#isFlushing) this.#lose(waiting, new Error('the backlog of Disconnect calls is full'))
    else {
      this.#waiting.add(waiting)
      this.#schedule()
    }
    return { done, hurry: () => this.#hurry(waiting) }
  }

  /**
   * From now on without the rate and without a bound, as many at once as the app bears: the bridge is going. Each has one
   * try more: a station may be at another bridge by then, and its end here must not come long after that.
   */
  flush(): void {
    this.#isFlushing = true
    this.#lost = 0
    this.#schedule()
  }

  /** No time is left: those that wait, and those whose reply is not there, are lost. */
  giveUp(): void {
    const error = new Error('no time was left')
    for (const waiting of [...this.#waiting, ...this.#underWay]) this.#lose(waiting, error)
    this.#waiting.clear()
    this.#underWay.clear()
  }

  #isFull(): boolean {
    return this.#waiting.size >= this.#limits.backlog
  }

  #schedule(): void {
    if (this.#isFlushing) while (this.#underWay.size < flushPool && this.#startNext());
    else if (!this.#isTicking) this.#tickIn(this.#awaySince === null ? 0 : this.#paceMs())
  }

  #tickIn(ms: number): void {
    this.#isTicking = true
    setTimeout(() => {
      this.#isTicking = false
      if (this.#startNext()) this.#tickIn(this.#paceMs())
    }, ms)
  }

  #paceMs(): number {
    return Math.max(1000 / this.#limits.ratePerSecond, this.#awaySince === null ? 0 : away.pauseMs)
  }

  #startNext(): boolean {
    const [next] = this.#waiting
    if (next !== undefined) this.#start(next)
    return next !== undefined
  }

  #hurry(waiting: Waiting): void {
    waiting.isHurried = true
    this.#start(waiting)
  }

  #start(waiting: Waiting): void {
    if (this.#waiting.delete(waiting)) void this.#run(waiting)
  }

  async #run(waiting: Waiting): Promise<void> {
    this.#underWay.add(waiting)
    try {
      await waiting.run()
      this.#underWay.delete(waiting)
      this.#awaySince = null
      waiting.resolve()
    } catch (error) {
      // Not there any more: it was given up.
      if (this.#underWay.delete(waiting)) this.#onFailure(waiting, error)
    }
    if (this.#waiting.size > 0) this.#schedule()
  }

  #onFailure(waiting: Waiting, error: unknown): void {
    const isAway = error instanceof RpcError && error.code !== 'application'
    const mayWait = !waiting.isHurried && !this.#isFlushing && !this.#isFull()
    // At the back: who failed keeps nobody else from being told, and who is waited for is hurried past all of them.
    if (isAway && error.outcome === 'notRun' && mayWait) this.#waiting.add(waiting)
    else this.#lose(waiting, error)
    if (isAway) this.#onAway(error)
    else this.#awaySince = null
  }

  #onAway(error: RpcError): void {
    const now = this.#world.now().getTime()
    const awaySince = (this.#awaySince ??= now)
    for (const waiting of this.#waiting) {
      if (now - Math.max(awaySince, waiting.since) < away.patienceMs) continue
      this.#waiting.delete(waiting)
      this.#lose(waiting, error)
    }
  }

  #lose({ resolve }: Waiting, error: unknown): void {
    this.#lost++
    this.#world.meter.count('disconnect_lost_total')
    this.#world.once('disconnect lost', { error }, 'the app was not told that a station has left')
    resolve()
  }
}
