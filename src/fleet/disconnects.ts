/**
 * Disconnect RPCs at a steady rate: a network outage that ends ten thousand sessions at once must not flood the app.
 * While the app is away they are kept, so that a restart of the app leaves no departed station marked online.
 *
 * Source: AnyCable `node/disconnect_queue.go`; unlike there, a Disconnect that the app cannot have run is not lost at
 * once.
 */
import { isAway, mayRepeat, RpcError } from '../cable/rpc.ts'
import type { QueuedDisconnect, World } from '../session/ports.ts'
import type { StationId } from '../translate/handshake.ts'

export type DisconnectLimits = {
  /** `auto` is `always` for connections that the app itself accepted, and it accepts every station. */
  readonly mode: 'auto' | 'always' | 'never'
  readonly ratePerSecond: number
  /** How many may wait; one more is lost, counted and logged. */
  readonly backlog: number
}

type Queued = {
  readonly stationId: StationId
  readonly send: () => Promise<void>
  readonly resolve: () => void
  /** In ms of `World.now`. */
  readonly since: number
  isExpedited: boolean
}

/** How many are in flight at once, not counting expedited ones. */
const concurrency = 16
/** While the app is away: the least pause between two attempts, and how long a Disconnect is kept. */
const away = { pauseMs: 1_000, keptMs: 10 * 60_000 }
/** An app that hangs may run each attempt, and the Disconnect is lost: attempts become this rare. */
const mostSilentPauseMs = 30_000
/** The pause before a retry while flushing: the bridge's own queue of calls may be full. */
const flushPauseMs = 100
/** How many of the stations whose Disconnect is lost at shutdown are named. */
const maxNamed = 10

export class Disconnects {
  readonly #limits: DisconnectLimits
  readonly #world: Pick<World, 'meter' | 'log' | 'once' | 'now'>
  readonly #queue = new Set<Queued>()
  readonly #inFlight = new Set<Queued>()
  #tick: NodeJS.Timeout | null = null
  #isFlushing = false
  #isAborted = false
  /** Since when no Disconnect got a reply, in ms of `World.now`; `null` while the app replies. */
  #awaySince: number | null = null
  /** Since when the app may be running calls without a reply, in ms of `World.now`. */
  #silentSince: number | null = null
  #lost: StationId[] = []
  #hasLoggedLoss = false

  constructor(limits: DisconnectLimits, world: Pick<World, 'meter' | 'log' | 'once' | 'now'>) {
    this.#limits = limits
    this.#world = world
  }

  get size(): number {
    return this.#queue.size
  }

  /** The stations whose Disconnect was lost since `flush`. */
  get lost(): readonly StationId[] {
    return this.#lost
  }

  /**
   * Queues a Disconnect; it is retried while the app cannot have run it.
   *
   * An expedited one that fails is lost: a later one would come after the subscribe of the station's next connection,
   * and the app would mark that connection as gone.
   *
   * @param send the RPC
   */
  add(stationId: StationId, send: () => Promise<void>): QueuedDisconnect {
    if (this.#isOff) return { done: Promise.resolve(), expedite: () => undefined }
    let resolve: () => void = () => undefined
    const done = new Promise<void>(settled => (resolve = settled))
    const queued: Queued = { stationId, send, resolve, since: this.#world.now(), isExpedited: false }
    if (this.#isAborted) this.#lose(queued, outOfTime())
    else if (this.#isFull() && !this.#isFlushing)
      this.#lose(queued, new Error('the queue of Disconnect calls is full (disconnect_backlog_size)'))
    else {
      this.#queue.add(queued)
      this.#schedule()
    }
    return { done, expedite: () => this.#expedite(queued) }
  }

  /**
   * Drops the rate and the queue limit, because the bridge is shutting down. An attempt that finds the app away is the
   * last: the station may be at another bridge by then, and its end here must not come long after that. Only a call
   * that did not leave the bridge's own queue is retried.
   */
  flush(): void {
    this.#isFlushing = true
    this.#lost = []
    if (this.#tick !== null) clearTimeout(this.#tick)
    this.#tick = null
    this.#schedule()
  }

  /**
   * Names the stations whose Disconnect is lost at shutdown, once.
   *
   * @param open those whose session has not ended, so that their Disconnect will be lost
   */
  logLoss(open: readonly StationId[]): void {
    const stations = [...this.#lost, ...open]
    if (this.#isOff || this.#hasLoggedLoss || stations.length === 0) return
    this.#hasLoggedLoss = true
    const fields = { num: stations.length, stations: [...new Set(stations)].slice(0, maxNamed) }
    this.#world.log.warn(fields, 'lost the Disconnect of stations at shutdown: the app may show them as online')
  }

  /** No time is left: Disconnects that wait, that have no reply, and that are added later are lost. */
  abort(): void {
    this.#isAborted = true
    for (const queued of [...this.#queue, ...this.#inFlight]) this.#lose(queued, outOfTime())
    this.#queue.clear()
    this.#inFlight.clear()
  }

  /** Whether no Disconnect is ever sent. */
  get #isOff(): boolean {
    return this.#limits.mode === 'never'
  }

  #isFull(): boolean {
    return this.#queue.size >= this.#limits.backlog
  }

  #schedule(): void {
    if (this.#isFlushing) while (this.#inFlight.size < concurrency && this.#startNext());
    else if (this.#tick === null) this.#tickIn(this.#awaySince === null ? 0 : this.#paceMs())
  }

  #tickIn(ms: number): void {
    this.#tick = setTimeout(() => {
      this.#tick = null
      if (this.#queue.size === 0) return
      if (this.#inFlight.size < concurrency) this.#startNext()
      this.#tickIn(this.#paceMs())
    }, ms)
  }

  #paceMs(): number {
    const paceMs = 1000 / this.#limits.ratePerSecond
    if (this.#awaySince === null) return paceMs
    // As long as the silence has lasted: each pause is twice the one before.
    return Math.max(paceMs, away.pauseMs, Math.min(this.#silentMs(), mostSilentPauseMs))
  }

  #silentMs(): number {
    return this.#silentSince === null ? 0 : this.#world.now() - this.#silentSince
  }

  #startNext(): boolean {
    const [next] = this.#queue
    if (next !== undefined) this.#start(next)
    return next !== undefined
  }

  #expedite(queued: Queued): void {
    queued.isExpedited = true
    this.#start(queued)
  }

  #start(queued: Queued): void {
    if (this.#queue.delete(queued)) void this.#send(queued)
  }

  async #send(queued: Queued): Promise<void> {
    this.#inFlight.add(queued)
    try {
      await queued.send()
      this.#inFlight.delete(queued)
      this.#onReply()
      queued.resolve()
    } catch (error) {
      // It counts as in flight meanwhile.
      if (this.#isFlushing && isStuckHere(error)) await pause(flushPauseMs)
      // Otherwise `abort` has dropped it.
      if (this.#inFlight.delete(queued)) this.#onFailure(queued, error)
    }
    if (this.#queue.size > 0) this.#schedule()
  }

  #onFailure(queued: Queued, error: unknown): void {
    const isRpc = error instanceof RpcError
    const retries = this.#isFlushing ? isStuckHere(error) : isRpc && mayRepeat(error) && !this.#isFull()
    // At the back of the queue, so that a failing Disconnect holds up no other; an expedited one goes past them all.
    if (retries && !queued.isExpedited) this.#queue.add(queued)
    else this.#lose(queued, error)
    // An error of the bridge's own says nothing about the app.
    if (isRpc && error.isLocal) return
    if (isRpc && isAway(error)) this.#onAway(error)
    else this.#onReply()
  }

  /** Ends a pause that has become long. */
  #onReply(): void {
    const isLong = this.#silentMs() > away.pauseMs
    this.#awaySince = null
    this.#silentSince = null
    if (this.#tick === null || !isLong) return
    clearTimeout(this.#tick)
    this.#tickIn(this.#paceMs())
  }

  #onAway(error: RpcError): void {
    const now = this.#world.now()
    const awaySince = (this.#awaySince ??= now)
    if (error.outcome === 'unknown') this.#silentSince ??= now
    // Where nothing listens, an attempt costs nothing.
    else if (error.code === 'unavailable') this.#silentSince = null
    for (const queued of this.#queue) {
      if (now - Math.max(awaySince, queued.since) < away.keptMs) continue
      this.#queue.delete(queued)
      this.#lose(queued, error)
    }
  }

  #lose({ stationId, resolve }: Queued, error: unknown): void {
    if (this.#isFlushing) this.#lost.push(stationId)
    this.#world.meter.count('disconnect_lost_total')
    this.#world.once(
      'disconnect lost',
      { station: stationId, error },
      'lost the Disconnect of a station: the app may show it as online',
      detailOf(error),
    )
    resolve()
  }
}

/** Whether a call never left the bridge's queue of calls: the app may be there, and take it yet. */
function isStuckHere(error: unknown): boolean {
  return error instanceof RpcError && mayRepeat(error) && error.code !== 'unavailable'
}

function detailOf(error: unknown): string {
  return error instanceof Error ? error.message : ''
}

function outOfTime(): Error {
  return new Error('shutdown timed out')
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
