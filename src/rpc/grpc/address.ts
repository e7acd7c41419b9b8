/**
 * One address of the app: has a connection to it, or is about to.
 */
import { clear } from '../deadline.ts'
import { mostKeepaliveMs, pausesMs } from '../grpc-settings.ts'
import { Link, type LinkSettings } from './link.ts'

export interface AddressEvents {
  /** The connection is up, down, or about to be up. */
  changed(): void
  /** A connection was lost, or could not be made. */
  failed(): void
}

export class Address {
  readonly #ip: string
  readonly #events: AddressEvents
  #settings: LinkSettings
  /** The connection, or the attempt at one. */
  #link: Link | null = null
  #isReady = false
  #isResting = false
  #isClosed = false
  #vainAttempts = 0
  #startedAt = 0
  #timer: NodeJS.Timeout | null = null
  #problem: string | null = null

  constructor(ip: string, settings: LinkSettings, events: AddressEvents) {
    this.#ip = ip
    this.#settings = settings
    this.#events = events
    this.#start()
  }

  /** The connection, if calls can be sent on it. */
  get link(): Link | null {
    return this.#isReady && this.#link?.isOpen === true ? this.#link : null
  }

  /** Whether there is a connection, or one may be soon. */
  get isHopeful(): boolean {
    return !this.#isResting
  }

  /** Why there is no connection, by the last attempt. */
  get problem(): string | null {
    return this.#problem
  }

  /** Calls under way run to their end. */
  close(): void {
    this.#isClosed = true
    clear(this.#timer)
    this.#link?.close()
  }

  #start(): void {
    this.#isResting = false
    this.#startedAt = Date.now()
    const link = new Link(this.#ip, this.#settings, {
      ready: () => this.#onReady(),
      ended: reason => this.#onEnd(reason),
      tooManyPings: () => this.#pingLess(),
    })
    this.#link = link
  }

  /** For good: an app that found a pace too fast once would again, and that costs a connection each time. */
  #pingLess(): void {
    const keepaliveMs = Math.min(2 * this.#settings.keepaliveMs, mostKeepaliveMs)
    this.#settings = { ...this.#settings, keepaliveMs }
  }

  #onReady(): void {
    this.#isReady = true
    this.#vainAttempts = 0
    this.#problem = null
    this.#events.changed()
  }

  /** A connection lost is made anew at once, but for one that has lasted no time at all. */
  #onEnd(reason: string): void {
    const wasReady = this.#isReady
    this.#isReady = false
    this.#link = null
    if (this.#isClosed) return
    if (wasReady) {
      this.#startAfter(this.#startedAt + pausesMs.first - Date.now())
    } else {
      this.#problem = reason
      this.#isResting = true
      this.#startAfter(pauseAfter(++this.#vainAttempts))
    }
    this.#events.failed()
    this.#events.changed()
  }

  #startAfter(ms: number): void {
    this.#timer = setTimeout(
      () => {
        this.#timer = null
        this.#start()
      },
      Math.max(0, ms),
    )
  }
}

/** Less up to a fifth by chance, so that bridges that lost an app together do not come back together. */
function pauseAfter(vainAttempts: number): number {
  return Math.min(pausesMs.most, pausesMs.first * 2 ** (vainAttempts - 1)) * (1 - Math.random() / 5)
}
