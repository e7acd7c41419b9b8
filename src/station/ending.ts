/**
 * The end of a session: what is under way ends first, then the app is told, at most once: a Disconnect may be lost.
 */
import type { Farewell } from './ports.ts'

export class Ending {
  /** Resolves when the app has seen the end, or cannot be told. */
  readonly done: Promise<void>
  #resolve: () => void = () => undefined
  #farewell: Farewell | null = null
  #isHurried = false

  constructor() {
    this.done = new Promise(resolve => (this.#resolve = resolve))
  }

  /** Has the app told at once, past the rate: the station is back. Resolves with `done`. */
  hurry(): Promise<void> {
    this.#isHurried = true
    this.#farewell?.hurry()
    return this.done
  }

  /**
   * @param settled  when nothing is under way any more
   * @param farewell takes the Disconnect's turn; `null` where the app never knew the session
   */
  async run(settled: Promise<void>, farewell: () => Farewell | null): Promise<void> {
    await settled
    this.#farewell = farewell()
    if (this.#isHurried) this.#farewell?.hurry()
    await this.#farewell?.done
    this.#resolve()
  }
}
