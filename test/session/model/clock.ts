/**
 * A clock that jumps from timer to timer and counts those left: a timer that is never stopped is a leak.
 */
import { dawn, quiet } from '../../support/fakes.ts'

type Timer = { readonly at: number; readonly run: () => void; unref(): Timer }

export class Clock {
  now = dawn
  readonly #timers = new Set<Timer>()

  /** The number of timers left. */
  get size(): number {
    return this.#timers.size
  }

  /** Replaces the global timers until node's mock is reset. */
  install(): void {
    Object.assign(globalThis, {
      setTimeout: (run: () => void, ms?: number) => this.start(run, ms),
      clearTimeout: (timer?: Timer) => this.stop(timer),
    })
  }

  start(run: () => void, ms = 0): Timer {
    const timer: Timer = { at: this.now + Math.max(1, ms), run, unref: () => timer }
    this.#timers.add(timer)
    return timer
  }

  stop(timer: Timer | undefined): void {
    if (timer !== undefined) this.#timers.delete(timer)
  }

  /** Lets time pass; after each timer, waits until nothing more happens. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms
    await quiet()
    for (let timer = this.#next(end); timer !== null; timer = this.#next(end)) {
      this.now = timer.at
      this.#timers.delete(timer)
      timer.run()
      await quiet()
    }
    this.now = end
  }

  #next(end: number): Timer | null {
    let next: Timer | null = null
    for (const timer of this.#timers) if (timer.at <= end && (next === null || timer.at < next.at)) next = timer
    return next
  }
}
