/**
 * One lane for all that a session does with the app: strictly one after another, in the order it came. What the station
 * itself has sent is bounded by its socket; whoever puts in anything else bounds that.
 */

export type Gate = { pause(): void; resume(): void }
export type InboxLimits = { readonly entries: number; readonly bytes: number }

type Waiting<Entry> = { readonly entry: Entry; readonly bytes: number | null }

/** Runs entries one at a time. Full, it pauses the socket that fills it; nothing is dropped for being too many. */
export class Inbox<Entry> {
  readonly #serve: (entry: Entry) => Promise<void>
  readonly #gate: Gate
  readonly #limits: InboxLimits
  readonly #isPreferred: (entry: Entry) => boolean
  #waiting: Waiting<Entry>[] = []
  /** Of those that the station has sent. */
  #entries = 0
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

  /** @param bytes what the station's message takes of the bound; `null` for what the station has not sent */
  push(entry: Entry, bytes: number | null): void {
    const waiting = { entry, bytes }
    this.#waiting.push(waiting)
    this.#count(waiting, 1)
    if (!this.#paused && this.#isFull()) {
      this.#paused = true
      this.#gate.pause()
    }
    this.#running ??= this.#run()
  }

  /** Takes all waiting entries out, which then do not run; the one that runs is not touched. */
  take(): Entry[] {
    this.#entries = 0
    this.#bytes = 0
    return this.#waiting.splice(0).map(({ entry }) => entry)
  }

  /** Resolves when nothing runs and nothing waits. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running
  }

  async #run(): Promise<void> {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      this.#count(next, -1)
      await this.#serve(next.entry)
      this.#resumeIfRoom()
    }
    this.#running = null
  }

  #count({ bytes }: Waiting<Entry>, sign: 1 | -1): void {
    if (bytes === null) return
    this.#entries += sign
    this.#bytes += sign * bytes
  }

  #next(): Waiting<Entry> | undefined {
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
    return this.#entries * share >= this.#limits.entries || this.#bytes * share >= this.#limits.bytes
  }
}
