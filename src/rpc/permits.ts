/**
 * How many calls may be under way at once, and the line of those that wait their turn.
 */
import { RpcError } from '../cable/rpc.ts'

/** Calls of connected stations go before Connects of new ones; within a lane, first come, first served. */
export type Lane = 'connected' | 'new'

/** One station waits with one call at a time, so this is reached by more stations than a process is meant for. */
const maxWaiting = 10_000

type Waiter = { readonly admit: () => void }

export class Permits {
  readonly #lanes: Readonly<Record<Lane, Set<Waiter>>> = { connected: new Set(), new: new Set() }
  #free: number

  constructor(concurrency: number) {
    this.#free = concurrency
  }

  get waiting(): number {
    return this.#lanes.connected.size + this.#lanes.new.size
  }

  /**
   * Resolves when it is the caller's turn, who then has to `release` the permit.
   *
   * Rejects with `RpcError`, the call not sent: `exhausted` where too many wait, `timeout` where the turn has not come by
   * `until` (as `Date` counts), `aborted` by the signal.
   */
  acquire(lane: Lane, signal: AbortSignal, until: number): Promise<void> {
    if (signal.aborted) return Promise.reject(abortedError())
    if (this.#free > 0) {
      this.#free--
      return Promise.resolve()
    }
    const line = this.#lanes[lane]
    if (line.size >= maxWaiting)
      return Promise.reject(new RpcError('exhausted', 'notRun', 'too many calls wait for the app'))
    return wait(line, signal, until)
  }

  release(): void {
    const next = firstOf(this.#lanes.connected) ?? firstOf(this.#lanes.new)
    if (next === null) this.#free++
    else next.admit()
  }
}

function firstOf(line: ReadonlySet<Waiter>): Waiter | null {
  return line.values().next().value ?? null
}

function wait(line: Set<Waiter>, signal: AbortSignal, until: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      line.delete(waiter)
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
    const onAbort = (): void => {
      leave()
      reject(abortedError())
    }
    const onLate = (): void => {
      leave()
      reject(new RpcError('timeout', 'notRun', `the call did not get its turn in time; ${line.size} more wait`))
    }
    const admit = (): void => {
      leave()
      resolve()
    }
    const waiter = { admit }
    const timer = setTimeout(onLate, Math.max(0, until - Date.now()))
    signal.addEventListener('abort', onAbort)
    line.add(waiter)
  })
}

function abortedError(): RpcError {
  return new RpcError('aborted', 'notRun', 'the session ended first')
}
