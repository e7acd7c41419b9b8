/**
 * One address of the app: keeps a connection to it, and makes a new one after each loss.
 */
import type { Connection as Http2Connection } from '../../http2/connection.ts'
import { Connection, type ConnectionOwner, type ConnectionSettings } from './connection.ts'
import { backoffMs } from './settings.ts'

export interface SubchannelOwner {
  /** Whether the same name has another address with a connection: then this one is not urgent. */
  readonly hasConnection: boolean
  onReady(): void
  /** A connection was lost that calls could be sent on. */
  onLost(): void
  onAttemptFailed(): void
}

/** While another address of the name has a connection: an address that nobody listens at is dialled ever less often. */
const maxIdleBackoffMs = 2 * 60_000
/** For an app that finds pings too frequent: a dead connection must still be found. */
const maxKeepaliveMs = 5 * 60_000

export class Subchannel implements ConnectionOwner {
  readonly #address: string
  readonly #owner: SubchannelOwner
  #settings: ConnectionSettings
  /** The connection, or the attempt at one. */
  #connection: Connection | null = null
  #isReady = false
  #isClosed = false
  #startedAt = 0
  /** The backoff before the latest attempt; 0 when that followed a connection. */
  #backoffMs = 0
  /** Runs while there is neither a connection nor an attempt. */
  #timer: NodeJS.Timeout | undefined
  #isBackingOff = false
  #problem: string | null = null

  constructor(address: string, settings: ConnectionSettings, owner: SubchannelOwner) {
    this.#address = address
    this.#settings = settings
    this.#owner = owner
    this.#connect()
  }

  /** The connection, if calls can be sent on it. */
  get connection(): Http2Connection | null {
    const http2 = this.#connection?.http2
    return http2?.isOpen === true ? http2 : null
  }

  /** Whether there is a connection, or may be one soon. */
  get isHopeful(): boolean {
    return !this.#isBackingOff
  }

  /** Why the last attempt failed. */
  get problem(): string | null {
    return this.#problem
  }

  /** Ends a backoff that is running: this address has become urgent. */
  connectNow(): void {
    if (!this.#isBackingOff) return
    clearTimeout(this.#timer)
    this.#backoffMs = 0
    this.#connect()
  }

  /** Calls in flight run to their end. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#connection?.close()
  }

  onReady(): void {
    this.#isReady = true
    this.#backoffMs = 0
    this.#problem = null
    this.#owner.onReady()
  }

  onEnd(reason: string): void {
    const wasReady = this.#isReady
    this.#isReady = false
    this.#connection = null
    if (this.#isClosed) return
    if (wasReady) {
      // At once, unless the connection was shorter than the first backoff.
      this.#connectAfter(this.#startedAt + backoffMs.initial - performance.now())
      this.#owner.onLost()
    } else {
      this.#problem = reason
      this.#isBackingOff = true
      this.#connectAfter(this.#nextBackoffMs())
      this.#owner.onAttemptFailed()
    }
  }

  /** For good: each time that the app finds the pings too frequent costs a connection. */
  onTooManyPings(): void {
    const keepaliveMs = Math.min(2 * this.#settings.keepaliveMs, maxKeepaliveMs)
    this.#settings = { ...this.#settings, keepaliveMs }
  }

  #connect(): void {
    this.#isBackingOff = false
    this.#startedAt = performance.now()
    this.#connection = new Connection(this.#address, this.#settings, this)
  }

  #connectAfter(ms: number): void {
    this.#timer = setTimeout(() => this.#connect(), Math.max(0, ms))
  }

  /** Less up to a fifth of jitter, so that bridges that lost an app together do not come back together. */
  #nextBackoffMs(): number {
    const max = this.#owner.hasConnection ? maxIdleBackoffMs : backoffMs.max
    this.#backoffMs = Math.min(max, Math.max(backoffMs.initial, 2 * this.#backoffMs))
    return this.#backoffMs * (1 - Math.random() / 5)
  }
}
