/** A clock that a test moves. */
import type { TestContext } from 'node:test'

export class Clock {
  readonly #timers: TestContext['mock']['timers']
  #monotonicMs = 0
  #wallMs = 0

  /** Replaces timers, `performance.now()` and `Date.now()` until the end of the test; both clocks start at 0. */
  constructor(t: TestContext) {
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
    t.mock.method(performance, 'now', () => this.#monotonicMs)
    t.mock.method(Date, 'now', () => this.#wallMs)
    this.#timers = t.mock.timers
  }

  tick(ms: number): void {
    this.#monotonicMs += ms
    this.#wallMs += ms
    this.#timers.tick(ms)
  }

  /** Changes only the wall clock, as an administrator or NTP does. */
  setWallClock(byMs: number): void {
    this.#wallMs += byMs
  }
}
