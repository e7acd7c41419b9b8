/**
 * The end of a session, as its calls to the app see it: 100 bytes for each station, where an `AbortController` takes
 * 760.
 */
import type { Cancellation } from './rpc.ts'

export class Closed implements Cancellation {
  /** Set by `abort` alone. A field: each call to the app reads it several times. */
  aborted = false
  /** `null` while nobody listens: only a pending Connect, and a call that waits to be retried, do. */
  #listeners: Set<() => void> | null = null

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners ??= new Set()
    this.#listeners.add(listener)
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners?.delete(listener)
    if (this.#listeners?.size === 0) this.#listeners = null
  }

  /** Calls each listener once. */
  abort(): void {
    if (this.aborted) return
    this.aborted = true
    const listeners = this.#listeners ?? []
    this.#listeners = null
    for (const listener of listeners) listener()
  }
}
