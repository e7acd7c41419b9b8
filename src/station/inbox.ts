/**
 * One lane for all that a session does with the app: strictly one after another, in the order it came.
 */

export type Gate = { pause(): void; resume(): void }
export type InboxLimits = { readonly entries: number; readonly bytes: number }

/** Runs entries one at a time. Full, it pauses the socket that fills it; nothing is dropped for being too many. */
export class Inbox<Entry> {
  readonly #serve: (entry: Entry) => Promise<void>
  readonly #gate: Gate
  readonly #limits: InboxLimits
  readonly #isPreferred: (entry: Entry) => boolean
  #waiting: { readonly entry: Entry; readonly bytes: number }[] = []
  #bytes = 0
  #paused = false
  #running: Promise<void> | null = null

  /** @param isPreferred whether an entry goes before those that are not; in general none is */
  constructor(
    serve: (entry: Entry) => Promise<void>,
    gate: Gate,
    limits: InboxLimits,
    isPreferred: (entry: Entry) => boolean = () => false,
  ) {
    this.#isPreferred = isPreferred
    this.#serve = serve
    this.#gate = gate
    this.#limits = limits
  }

  push(entry: Entry, bytes: number): void {
    this.#waiting.push({ entry, bytes })
    this.#bytes += bytes
    if (!this.#paused && this.#isFull()) {
      this.#paused = true
      this.#gate.pause()
    }
    this.#running ??= this.#run()
  }

  /** Takes all waiting entries out, which then do not run; the one that runs is not touched. */
  take(): Entry[] {
    this.#bytes = 0
    return this.#waiting.splice(0).map(({ entry }) => entry)
  }

  /** Resolves when nothing runs and nothing waits. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running
  }

  async #run(): Promise<void> {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      this.#bytes -= next.bytes
      await this.#serve(next.entry)
      this.#resumeIfRoom()
    }
    this.#running = null
  }

  #next(): { readonly entry: Entry; readonly bytes: number } | undefined {
    const preferred = this.#waiting.findIndex(({ entry }) => this.#isPreferred(entry))
    return this.#waiting.splice(Math.max(0, preferred), 1)[0]
  }

  /** Half of it has to be free: a station that floods would be paused and resumed with each message. */
  #resumeIfRoom(): void {
    if (!this.#paused || this.#isFull(2)) return
    this.#paused = false
    this.#gate.resume()
  }

  #isFull(share = 1): boolean {
    return this.#waiting.length * share >= this.#limits.entries || this.#bytes * share >= this.#limits.bytes
  }
}
