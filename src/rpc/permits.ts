/**
 * How many calls may be under way at once, and the line of those that wait their turn.
 */
import { RpcError } from '../cable/rpc.ts'
import { aborted } from './transport.ts'

/**
 * In the order in which they have their turns; within a lane, first come, first served. What a connected station says goes
 * before the Disconnects of those that left, which nobody waits for, and these before Connects: a station that is back is
 * let in when the app has seen the end of its connection before.
 */
const lanes = ['connected', 'leaving', 'new'] as const
export type Lane = (typeof lanes)[number]

/** One station waits with one call at a time, so this is reached by more stations than a process is meant for. */
const maxWaiting = 10_000
/** How often the lines are looked through for those who need not wait any longer: one timer, not one for each. */
const sweepMs = 50
/** How many of them are told in one turn of the event loop: in a storm thousands have waited long enough at once. */
const toldAtOnce = 20

type Waiter = {
  readonly signal: AbortSignal
  readonly until: () => number
  readonly admit: () => void
  readonly dismiss: (reason: RpcError) => void
}

export class Permits {
  readonly #limit: () => number
  readonly #lanes: Record<Lane, Waiter[]> = { connected: [], leaving: [], new: [] }
  /** Who need not wait any longer, and has not been told yet. */
  readonly #dismissed: { readonly waiter: Waiter; readonly reason: RpcError }[] = []
  #taken = 0
  #sweep: NodeJS.Timeout | null = null

  /** @param limit how many permits there are; asked each time, for it may change */
  constructor(limit: () => number) {
    this.#limit = limit
  }

  get waiting(): number {
    return lanes.reduce((sum, lane) => sum + this.#lanes[lane].length, 0)
  }

  /** Takes a permit, if there is one, which has to be `release`d. */
  take(): boolean {
    if (this.#taken >= this.#limit()) return false
    this.#taken++
    return true
  }

  /**
   * Resolves when it is the caller's turn, with a permit taken.
   *
   * Rejects with `RpcError`, the call not sent: at once with `exhausted` where too many wait, and soon after with
   * `timeout` where the turn has not come by `until`, or with `aborted` by the signal.
   *
   * @param until as `Date` counts; asked again and again
   */
  turn(lane: Lane, signal: AbortSignal, until: () => number): Promise<void> {
    const line = this.#lanes[lane]
    if (line.length >= maxWaiting)
      return Promise.reject(new RpcError('exhausted', 'notRun', 'too many calls wait for the app'))
    this.#sweep ??= setInterval(() => this.#dismiss(), sweepMs)
    return new Promise((admit, dismiss) => line.push({ signal, until, admit, dismiss }))
  }

  release(): void {
    this.#taken--
    const now = Date.now()
    while (this.#taken < this.#limit()) {
      const next = this.#lanes.connected.shift() ?? this.#lanes.leaving.shift() ?? this.#lanes.new.shift()
      if (next === undefined) break
      const reason = this.#reasonToLeave(next, now)
      if (reason !== null) this.#leave(next, reason)
      else {
        this.#taken++
        next.admit()
      }
    }
    this.#restIfEmpty()
  }

  #dismiss(): void {
    const now = Date.now()
    for (const lane of lanes) {
      this.#lanes[lane] = this.#lanes[lane].filter(waiter => {
        const reason = this.#reasonToLeave(waiter, now)
        if (reason !== null) this.#leave(waiter, reason)
        return reason === null
      })
    }
    this.#restIfEmpty()
  }

  #reasonToLeave({ signal, until }: Waiter, now: number): RpcError | null {
    if (signal.aborted) return aborted()
    if (now < until()) return null
    return new RpcError('timeout', 'notRun', `the call did not get its turn in time; ${this.waiting} wait`)
  }

  #leave(waiter: Waiter, reason: RpcError): void {
    if (this.#dismissed.push({ waiter, reason }) === 1) setImmediate(() => this.#tell())
  }

  #tell(): void {
    for (const { waiter, reason } of this.#dismissed.splice(0, toldAtOnce)) waiter.dismiss(reason)
    if (this.#dismissed.length > 0) setImmediate(() => this.#tell())
  }

  #restIfEmpty(): void {
    if (this.#sweep === null || this.waiting > 0) return
    clearInterval(this.#sweep)
    this.#sweep = null
  }
}
