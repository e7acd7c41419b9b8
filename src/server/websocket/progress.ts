/**
 * Whether a connection makes progress: a message that has begun must end, and what is written must be read.
 *
 * Pure: looked at again and again; a look that finds it paused or just resumed begins anew.
 */

export type ProgressSettings = {
  /**
   * How long a message may take from its first byte to its last, and how long a slow station may send nothing within
   * one; 0: no limit.
   */
  readonly messageTimeoutMs: number
  /** How long a station may read nothing while data waits for it; 0: no limit. */
  readonly writeTimeoutMs: number
}

/** A message in progress. */
export type Arriving = {
  /** How many messages have come in whole. */
  readonly messagesBefore: number
  /** How many bytes have come in. */
  readonly bytes: number
  /**
   * Whether some of it has to arrive in time, not all of it: a slow link must not lose a large message of a station
   * that the app has accepted, or of one that has the credentials with which the app accepted it before.
   */
  readonly mayBeSlow: boolean
}

export type Look = {
  /** Monotonic, in ms. */
  readonly now: number
  /** `null` if no message is in progress, or if the socket is not read. */
  readonly arriving: Arriving | null
  /** How many bytes have been sent; `null` if none wait to be. */
  readonly bytesBefore: number | null
}

/** One thing that has to change in time. */
class Standstill {
  #at: number | null = null
  #since = 0

  /** @returns for how many ms the same has been seen; 0 for `null` */
  see(at: number | null, now: number): number {
    if (at !== this.#at) this.#since = now
    this.#at = at
    return at === null ? 0 : now - this.#since
  }
}

export class Progress {
  readonly #settings: ProgressSettings
  readonly #message = new Standstill()
  readonly #write = new Standstill()

  constructor(settings: ProgressSettings) {
    this.#settings = settings
  }

  /** @returns what takes too long; `null` if nothing does */
  look({ now, arriving, bytesBefore }: Look): 'message' | 'write' | null {
    const { messageTimeoutMs, writeTimeoutMs } = this.#settings
    const messageMs = this.#message.see(arriving === null ? null : markOf(arriving), now)
    const writeMs = this.#write.see(bytesBefore, now)
    if (writeTimeoutMs > 0 && writeMs >= writeTimeoutMs) return 'write'
    return messageTimeoutMs > 0 && messageMs >= messageTimeoutMs ? 'message' : null
  }
}

function markOf({ messagesBefore, bytes, mayBeSlow }: Arriving): number {
  return mayBeSlow ? bytes : messagesBefore
}
