/**
 * Entries that a session performs later: after a pause through the inbox, or at its end.
 */

type Lane<Entry> = { push(entry: Entry, bytes: null): void }

export class Deferred<Entry> {
  readonly #lane: Lane<Entry>
  readonly #pauseMs: number
  /** Made for the first entry: most sessions have none. */
  #timers: Map<Entry, NodeJS.Timeout> | null = null
  readonly #kept: Entry[] = []
  #isStopped = false

  constructor(lane: Lane<Entry>, pauseMs: number) {
    this.#lane = lane
    this.#pauseMs = pauseMs
  }

  /** How many entries wait for their next attempt. */
  get size(): number {
    return this.#timers?.size ?? 0
  }

  /** Puts an entry into the inbox after the pause; once stopped, keeps the entry for `take`. */
  retry(entry: Entry): void {
    if (this.#isStopped) return this.keep(entry)
    const timer = setTimeout(() => {
      this.#timers?.delete(entry)
      this.#lane.push(entry, null)
    }, this.#pauseMs)
    this.#timers ??= new Map()
    this.#timers.set(entry, timer)
  }

  /** Keeps an entry for `take`. */
  keep(entry: Entry): void {
    this.#kept.push(entry)
  }

  /** Puts nothing into the inbox from now on. */
  stop(): void {
    this.#isStopped = true
    for (const [entry, timer] of this.#timers ?? []) {
      clearTimeout(timer)
      this.keep(entry)
    }
    this.#timers?.clear()
  }

  /** Removes and returns the entries kept. */
  take(): Entry[] {
    return this.#kept.splice(0)
  }
}
