/**
 * The end of a session: work in progress ends first, then the app is told, at most once. A Disconnect may be lost.
 */
import type { QueuedDisconnect } from './ports.ts'

export class Ending {
  #done: Promise<void> | null = null
  #resolve: (() => void) | null = null
  #hasEnded = false
  #disconnect: QueuedDisconnect | null = null
  #isExpedited = false

  /**
   * Resolves when the app has seen the end, or the Disconnect is lost. Made when first asked for: few wait so early.
   */
  get done(): Promise<void> {
    this.#done ??= this.#hasEnded ? Promise.resolve() : new Promise(resolve => (this.#resolve = resolve))
    return this.#done
  }

  /**
   * Sends the Disconnect now rather than in its turn, or as soon as work in progress has ended. Resolves with `done`.
   */
  expedite(): Promise<void> {
    this.#isExpedited = true
    this.#disconnect?.expedite()
    return this.done
  }

  /** @param disconnect the queued Disconnect; `null` where the app never knew the session */
  async run(disconnect: QueuedDisconnect | null): Promise<void> {
    this.#disconnect = disconnect
    if (this.#isExpedited) disconnect?.expedite()
    await disconnect?.done
    this.#hasEnded = true
    this.#resolve?.()
  }
}
