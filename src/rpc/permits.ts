/**
 * How many calls may be under way at once; the others wait in line, the urgent ones before the rest.
 */
import { RpcError } from '../cable/rpc.ts'

/** More than this many wait only where the app has long been too slow; one more is told so at once. */
const maxWaiting = 10_000

type Waiter = { readonly start: () => void }

export class Permits {
  #free: number
  /** Calls of stations that are connected already. */
  readonly #urgent = new Set<Waiter>()
  readonly #others = new Set<Waiter>()

  constructor(count: number) {
    this.#free = count
  }

  get waiting(): number {
    return this.#urgent.size + this.#others.size
  }

  /**
   * Resolves when it is the caller's turn, who then has to `give` the permit back.
   *
   * Rejects with `RpcError`: `aborted` by the signal, `timeout` when the turn has not come by `until`, or cannot, for
   * too many wait. None of these calls has been sent.
   */
  take(isUrgent: boolean, signal: AbortSignal, until: number): Promise<void> {
    if (signal.aborted) return Promise.reject(new RpcError('aborted', 'notRun', 'the session has ended'))
    if (this.#free > 0) {
      this.#free--
      return Promise.resolve()
    }
    if (this.waiting >= maxWaiting)
      return Promise.reject(new RpcError('timeout', 'notRun', 'too many calls wait for the app'))
    return this.#wait(isUrgent ? this.#urgent : this.#others, signal, until)
  }

  give(): void {
    const [next] = this.#urgent.size > 0 ? this.#urgent : this.#others
    if (next === undefined) this.#free++
    else next.start()
  }

  #wait(line: Set<Waiter>, signal: AbortSignal, until: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', onAbort)
        line.delete(waiter)
      }
      const onAbort = (): void => {
        leave()
        reject(new RpcError('aborted', 'notRun', 'the session has ended'))
      }
      const onTimeout = (): void => {
        leave()
        reject(new RpcError('timeout', 'notRun', 'the call did not get its turn in time'))
      }
      const start = (): void => {
        leave()
        resolve()
      }
      const waiter: Waiter = { start }
      const timer = setTimeout(onTimeout, Math.max(0, until - Date.now()))
      signal.addEventListener('abort', onAbort, { once: true })
      line.add(waiter)
    })
  }
}
