/**
 * One permit for each call in flight, and the queue of the calls that wait for one. Tells `presence` of calls that get
 * none.
 */
import { RpcError } from '../../cable/rpc.ts'
import { afterWrites } from '../../ops/event-loop/turn-end.ts'
import type { Cancellation } from '../../session/ports.ts'
import { aborted } from '../transport.ts'
import type { Presence } from './presence.ts'

/**
 * By priority; first in, first out within each. Calls of connected stations go before the Disconnects of those that
 * left, which nobody awaits. Disconnects go before Connects: a station that reconnects is let in once the app has seen
 * the end of its previous connection. Of the Connects, those of stations that come back go first: made-up identities
 * must not keep them out.
 */
const priorities = ['connected', 'leaving', 'returning', 'new'] as const
export type Priority = (typeof priorities)[number]

/**
 * One permit in so many goes to those that are not connected, if any wait: otherwise connected stations that keep the
 * app at its limit would keep all others out. Likewise, one Connect in so many is a new station's.
 */
const othersEvery = 8

/**
 * For each priority. A station waits with one call at a time, so more stations than a process is meant for reach it.
 */
export const maxPending = 10_000
/** How often the queue is searched for expired calls: one timer for all of them. */
const sweepMs = 50
/** How many expired calls are rejected in one turn of the event loop: in a storm, thousands expire at once. */
const rejectedPerTurn = 20

type Waiter = {
  readonly priority: Priority
  readonly signal: Cancellation
  readonly deadline: () => number
  readonly resolve: () => void
  readonly reject: (reason: RpcError) => void
}

export class Permits {
  /** How many calls may be in flight. A higher one applies from the next `release` on. */
  limit: number
  #inFlight = 0
  /** Calls of connected stations taken from the queue in a row, expired ones included. */
  #inARow = 0
  /** Whether the last of the others was a Disconnect: then a Connect is next, or thousands of Disconnects go first. */
  #wasLeaving = false
  /** Connects of stations that come back, taken from the queue in a row. */
  #returnedInARow = 0
  readonly #queue: Record<Priority, Waiter[]> = { connected: [], leaving: [], returning: [], new: [] }
  /** Removed from the queue, not yet rejected. */
  readonly #expired: { readonly waiter: Waiter; readonly reason: RpcError }[] = []
  /** Runs while a call waits. */
  #sweep: NodeJS.Timeout | null = null
  readonly #presence: Pick<Presence, 'onQueueTimeout'>

  constructor(limit: number, presence: Pick<Presence, 'onQueueTimeout'>) {
    this.limit = limit
    this.#presence = presence
  }

  /** How many calls wait. */
  get pending(): number {
    return priorities.reduce((sum, priority) => sum + this.#queue[priority].length, 0)
  }

  /** How many calls wait in the longest of the queues. */
  get longest(): number {
    return Math.max(...priorities.map(priority => this.#queue[priority].length))
  }

  /** Takes a permit if one is free; it must be released. */
  take(): boolean {
    if (this.#inFlight >= this.limit) return false
    this.#inFlight++
    return true
  }

  /**
   * Resolves once a permit is taken for the caller.
   *
   * Rejects with `RpcError`, the call not sent: at once with `exhausted` where the queue is full; soon after its
   * deadline with `timeout`, or after its signal with `aborted`.
   *
   * @param deadline  in ms of `performance.now()`; called again while the call waits
   */
  wait(priority: Priority, signal: Cancellation, deadline: () => number): Promise<void> {
    const queue = this.#queue[priority]
    return new Promise((resolve, reject) => {
      const waiter = { priority, signal, deadline, resolve, reject }
      if (queue.length >= maxPending)
        return this.#reject(waiter, new RpcError('exhausted', 'notRun', 'too many calls to the app are pending'))
      this.#sweep ??= setInterval(() => this.#removeExpired(), sweepMs)
      queue.push(waiter)
    })
  }

  release(): void {
    this.#inFlight--
    if (this.#sweep === null) return
    const now = performance.now()
    while (this.#inFlight < this.limit) {
      const next = this.#next()
      if (next === undefined) break
      const reason = this.#reasonToExpire(next, now)
      if (reason !== null) this.#expire(next, reason)
      else {
        this.#inFlight++
        next.resolve()
      }
    }
    this.#stopSweepIfEmpty()
  }

  /** Rejects every call that waits, with the code `aborted`. */
  abort(): void {
    for (const { waiter, reason } of this.#expired.splice(0)) this.#reject(waiter, reason)
    for (const priority of priorities) for (const waiter of this.#queue[priority].splice(0)) waiter.reject(aborted())
    this.#stopSweepIfEmpty()
  }

  #next(): Waiter | undefined {
    const { connected, leaving, returning } = this.#queue
    const connects = this.#connects()
    const isTurnOfOthers = this.#inARow >= othersEvery - 1
    const isTurnOfConnects = isTurnOfOthers && this.#wasLeaving && connects.length > 0
    const others = leaving.length > 0 && !isTurnOfConnects ? leaving : connects
    if (connected.length > 0 && (others.length === 0 || !isTurnOfOthers)) {
      this.#inARow++
      return connected.shift()
    }
    this.#inARow = 0
    this.#wasLeaving = others === leaving
    if (others === connects) this.#returnedInARow = connects === returning ? this.#returnedInARow + 1 : 0
    return others.shift()
  }

  #connects(): Waiter[] {
    const { returning, new: strangers } = this.#queue
    const isTurnOfStrangers = this.#returnedInARow >= othersEvery - 1 && strangers.length > 0
    return returning.length > 0 && !isTurnOfStrangers ? returning : strangers
  }

  #removeExpired(): void {
    const now = performance.now()
    for (const priority of priorities) {
      this.#queue[priority] = this.#queue[priority].filter(waiter => {
        const reason = this.#reasonToExpire(waiter, now)
        if (reason !== null) this.#expire(waiter, reason)
        return reason === null
      })
    }
    this.#stopSweepIfEmpty()
  }

  #reasonToExpire({ signal, deadline }: Waiter, now: number): RpcError | null {
    if (signal.aborted) return aborted()
    if (now < deadline()) return null
    return new RpcError('timeout', 'notRun', `the call was pending for too long; ${this.pending} more are pending`)
  }

  #expire(waiter: Waiter, reason: RpcError): void {
    if (this.#expired.push({ waiter, reason }) === 1) afterWrites(() => this.#rejectExpired())
  }

  #rejectExpired(): void {
    for (const { waiter, reason } of this.#expired.splice(0, rejectedPerTurn)) this.#reject(waiter, reason)
    if (this.#expired.length > 0) afterWrites(() => this.#rejectExpired())
  }

  /**
   * Tells `presence` that the app does not keep up, but not for a Disconnect: nobody awaits it, and it is retried
   * later.
   */
  #reject({ priority, reject }: Waiter, reason: RpcError): void {
    if (!reason.isLocal && priority !== 'leaving') this.#presence.onQueueTimeout(reason)
    reject(reason)
  }

  #stopSweepIfEmpty(): void {
    if (this.#sweep === null || this.pending > 0) return
    clearInterval(this.#sweep)
    this.#sweep = null
  }
}
