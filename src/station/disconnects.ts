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

/** How many are under way at once, but for those in a hurry. */
const pool = 16
/** While the app is away: how often it is tried at most, and for how long a Disconnect waits for it. */
const away = { pauseMs: 1_000, patienceMs: 10 * 60_000 }
/** An app that may have run what it does not reply to costs a Disconnect each time that it is tried: ever less often. */
const mostSilentPauseMs = 30_000
/** The pause before one is made again when all are to be made: the bridge's own line to the app may be full. */
const flushPauseMs = 100

export class Disconnects {
  readonly #limits: DisconnectLimits
  readonly #world: Pick<World, 'meter' | 'once' | 'now'>
  readonly #waiting = new Set<Waiting>()
  readonly #underWay = new Set<Waiting>()
  #tick: NodeJS.Timeout | null = null
  #isFlushing = false
  #isOver = false
  /** Since when the app has given none of them a reply, as `Date` counts; `null` while it does. */
  #awaySince: number | null = null
  /** Since when it may have run those that it gives no reply to, as `Date` counts. */
  #silentSince: number | null = null
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
    if (this.#isOver) this.#lose(waiting, noTime())
    else if (this.#isFull() && !this.#isFlushing)
      this.#lose(waiting, new Error('the backlog of Disconnect calls is full'))
    else {
      this.#waiting.add(waiting)
      this.#schedule()
    }
    return { done, hurry: () => this.#hurry(waiting) }
  }

  /**
   * From now on without the rate and without a bound, as many at once as the app bears: the bridge is going. One that
   * finds nobody there has no other try: a station may be at another bridge by then, and its end here must not come long
   * after that. One that has not had its turn at the app is made again.
   */
  flush(): void {
    this.#isFlushing = true
    this.#lost = 0
    if (this.#tick !== null) clearTimeout(this.#tick)
    this.#tick = null
    this.#schedule()
  }

  /** No time is left: those that wait, those whose reply is not there, and those that come yet are lost. */
  giveUp(): void {
    this.#isOver = true
    for (const waiting of [...this.#waiting, ...this.#underWay]) this.#lose(waiting, noTime())
    this.#waiting.clear()
    this.#underWay.clear()
  }

  #isFull(): boolean {
    return this.#waiting.size >= this.#limits.backlog
  }

  #schedule(): void {
    if (this.#isFlushing) while (this.#underWay.size < pool && this.#startNext());
    else if (this.#tick === null) this.#tickIn(this.#awaySince === null ? 0 : this.#paceMs())
  }

  #tickIn(ms: number): void {
    this.#tick = setTimeout(() => {
      this.#tick = null
      if (this.#waiting.size === 0) return
      if (this.#underWay.size < pool) this.#startNext()
      this.#tickIn(this.#paceMs())
    }, ms)
  }

  #paceMs(): number {
    const paceMs = 1000 / this.#limits.ratePerSecond
    if (this.#awaySince === null) return paceMs
    // As long as the silence has lasted: twice as long each time.
    return Math.max(paceMs, away.pauseMs, Math.min(this.#silentMs(), mostSilentPauseMs))
  }

  #silentMs(): number {
    return this.#silentSince === null ? 0 : this.#world.now().getTime() - this.#silentSince
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
      this.#onThere()
      waiting.resolve()
    } catch (error) {
      // It keeps its place meanwhile.
      if (this.#isFlushing && isTurnless(error)) await pause(flushPauseMs)
      // Not there any more: it was given up.
      if (this.#underWay.delete(waiting)) this.#onFailure(waiting, error)
    }
    if (this.#waiting.size > 0) this.#schedule()
  }

  #onFailure(waiting: Waiting, error: unknown): void {
    const isAway = error instanceof RpcError && error.code !== 'application'
    const isAgain = this.#isFlushing ? isTurnless(error) : isAway && error.outcome === 'notRun' && !this.#isFull()
    // At the back: who failed keeps nobody else from being told, and who is waited for is hurried past all of them.
    if (isAgain && !waiting.isHurried) this.#waiting.add(waiting)
    else this.#lose(waiting, error)
    if (isAway) this.#onAway(error)
    else this.#onThere()
  }

  /** The app has said something: a pause that had become long ends. */
  #onThere(): void {
    const isLong = this.#silentMs() > away.pauseMs
    this.#awaySince = null
    this.#silentSince = null
    if (this.#tick === null || !isLong) return
    clearTimeout(this.#tick)
    this.#tickIn(this.#paceMs())
  }

  #onAway(error: RpcError): void {
    const now = this.#world.now().getTime()
    const awaySince = (this.#awaySince ??= now)
    if (error.outcome === 'unknown') this.#silentSince ??= now
    // A try costs nothing where nobody is there.
    else if (error.code === 'unavailable') this.#silentSince = null
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

/** It has not reached the app for want of a turn: one that is there may take it yet. */
function isTurnless(error: unknown): boolean {
  return (
    error instanceof RpcError && error.outcome === 'notRun' && (error.code === 'timeout' || error.code === 'exhausted')
  )
}

function noTime(): Error {
  return new Error('no time was left')
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
