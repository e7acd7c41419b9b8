/**
 * One lane for everything a session does with the app: strictly one entry after another, in the order they came. The
 * station's socket is paused while the lane is full; whoever pushes other entries limits them.
 */

import type { Station } from './station.ts'

type Paused = { readonly socket: { pause(): void; resume(): void }; readonly after: Station['after'] }
export type InboxLimits = { readonly entries: number; readonly bytes: number }

/** Of one station. */
export const inboxLimits: InboxLimits = { entries: 64, bytes: 1024 * 1024 }

export interface Serving<Entry> {
  /**
   * Serves one entry after another. Must not throw.
   *
   * @returns a promise, whose end the inbox reports to `onServed` or `onFault`; `null` if the entry is served and its
   * end is reported
   */
  serve(entry: Entry): Promise<boolean> | null
  onServed(entry: Entry, isAccepted: boolean): void
  onFault(error: unknown): void
}

type Waiting<Entry> = { readonly entry: Entry; readonly bytes: number | null }

/** Serves entries one at a time. A full inbox pauses the socket that fills it, and drops nothing. */
export class Inbox<Entry> {
  /** Whether the station's own messages go before the other entries. */
  stationFirst = false
  readonly #server: Serving<Entry>
  readonly #station: Paused
  readonly #limits: InboxLimits
  readonly #waiting: Waiting<Entry>[] = []
  /** Entries and bytes that the station has sent. */
  #entries = 0
  #bytes = 0
  #isPaused = false
  #isServing = false
  /** Resolves when nothing waits any more; `null` while all is served at once. */
  #served: Promise<void> | null = null
  #slowed: NodeJS.Timeout | null = null

  constructor(server: Serving<Entry>, station: Paused, limits: InboxLimits) {
    this.#server = server
    this.#station = station
    this.#limits = limits
  }

  /** What the station has sent and the inbox holds. */
  get load() {
    return { messages: this.#entries, messageBytes: this.#bytes, isPaused: this.#isPaused }
  }

  /** In the order in which they are served. */
  get waiting(): readonly Entry[] {
    return this.#waiting.map(({ entry }) => entry)
  }

  /** @param bytes size of the station's message, counted against the limit; `null` for entries it did not send */
  push(entry: Entry, bytes: number | null): void {
    if (!this.#isServing) {
      // Set first: what is served may push in turn.
      this.#isServing = true
      const served = this.#server.serve(entry)
      if (served === null && this.#waiting.length === 0 && !this.#isPaused) this.#isServing = false
      else this.#served = this.#run(entry, served)
      return
    }
    this.#waiting.push({ entry, bytes })
    if (bytes === null) return
    this.#entries++
    this.#bytes += bytes
    if (!this.#isPaused && this.#isFull()) this.#pause()
  }

  /** Pauses the socket for so long at least, whatever room there is; `take` ends it. */
  slow(ms: number): void {
    this.#pause()
    this.#slowed ??= this.#station.after(ms, () => {
      this.#slowed = null
      this.#resumeIfRoom()
    })
  }

  /** Removes all waiting entries and returns them; the entry being served is not affected. */
  take(): Entry[] {
    this.#entries = 0
    this.#bytes = 0
    clearTimeout(this.#slowed ?? undefined)
    this.#slowed = null
    return this.#waiting.splice(0).map(({ entry }) => entry)
  }

  /** Resolves when nothing is being served and nothing waits. */
  async idle(): Promise<void> {
    while (this.#isServing) await this.#served
  }

  /** @param served the end of the first entry */
  async #run(first: Entry, served: Promise<boolean> | null): Promise<void> {
    let entry = first
    let ended = served
    for (;;) {
      // Awaited here: a promise of the server's own would be kept by each of the hundreds of stations that wait.
      if (ended !== null) {
        try {
          this.#server.onServed(entry, await ended)
        } catch (error) {
          this.#server.onFault(error)
        }
      }
      if (this.#isPaused) this.#resumeIfRoom()
      const next = this.#waiting.length === 0 ? undefined : this.#next()
      if (next === undefined) break
      entry = next
      ended = this.#server.serve(next)
    }
    this.#isServing = false
    this.#served = null
  }

  #next(): Entry | undefined {
    const preferred = this.stationFirst ? this.#waiting.findIndex(({ bytes }) => bytes !== null) : 0
    const [next] = this.#waiting.splice(Math.max(0, preferred), 1)
    if (next !== undefined && next.bytes !== null) {
      this.#entries--
      this.#bytes -= next.bytes
    }
    return next?.entry
  }

  #pause(): void {
    this.#isPaused = true
    this.#station.socket.pause()
  }

  /** Resumes once half of the inbox is free: a station that floods would otherwise be paused and resumed each time. */
  #resumeIfRoom(): void {
    if (!this.#isPaused || this.#slowed !== null || this.#isFull(2)) return
    this.#isPaused = false
    this.#station.socket.resume()
  }

  #isFull(share = 1): boolean {
    return this.#entries * share >= this.#limits.entries || this.#bytes * share >= this.#limits.bytes
  }
}
