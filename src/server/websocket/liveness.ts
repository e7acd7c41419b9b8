/**
 * When a silent station is pinged, and when it is given up.
 *
 * Pure: counts the sweeps that find a station silent, and never compares times. A clock that jumps or a process that
 * was suspended would make every station look silent.
 *
 * Spec: OCPP-J 1.6 §5.4 and §7, OCPP 2.0.1 Part 4 §5.3 and §8.4: any byte from a station counts as life, and pongs
 * may stand for heartbeats.
 */

export type LivenessSettings = {
  /** 0: no pings. */
  readonly pingIntervalMs: number
  /** For a station that has not been told a heartbeat interval. */
  readonly idleTimeoutMs: number
  /** The least idle timeout, however short the heartbeat interval. */
  readonly leastIdleTimeoutMs: number
}

/** How many heartbeats a station may miss, and half of the next interval. */
const intervalsUntilIdle = 2.5
/** Of a station that has answered a ping before. */
const maxUnansweredPings = 3

/** What all stations share. */
export class Patience {
  readonly sweepMs: number
  readonly untilPing: number
  readonly untilIdle: number
  readonly #leastIdleTimeoutMs: number

  constructor({ pingIntervalMs, idleTimeoutMs, leastIdleTimeoutMs }: LivenessSettings) {
    this.sweepMs = Math.max(10, Math.min(pingIntervalMs || Infinity, idleTimeoutMs) / 4)
    this.untilPing = this.#sweepsIn(pingIntervalMs || Infinity)
    this.untilIdle = this.#sweepsIn(idleTimeoutMs)
    this.#leastIdleTimeoutMs = leastIdleTimeoutMs
  }

  /** The silent sweeps after which a station with this heartbeat interval has left. */
  untilIdleWith(heartbeatIntervalMs: number): number {
    return this.#sweepsIn(Math.max(this.#leastIdleTimeoutMs, intervalsUntilIdle * heartbeatIntervalMs))
  }

  #sweepsIn(ms: number): number {
    return Math.ceil(ms / this.sweepMs)
  }
}

/** What is seen of a station at a sweep. */
export type Sighting = {
  /** Bytes, not messages: a long message may arrive over many sweeps. */
  readonly bytesRead: number
  /** Whether its session takes no messages: a station may say nothing more until it has its answers. */
  readonly isHeld: boolean
  /** Whether nothing is read from it, so that it cannot be told from a silent one. */
  readonly isPaused: boolean
}

/** One station's silence. */
export class Liveness {
  readonly #patience: Patience
  #untilIdle: number
  #bytesRead = -1
  /** Consecutive sweeps without a byte, and those of them that count towards the idle timeout. */
  #silent = 0
  #idle = 0
  #answersPings = false
  #isProbed = false

  constructor(patience: Patience) {
    this.#patience = patience
    this.#untilIdle = patience.untilIdle
  }

  get answersPings(): boolean {
    return this.#answersPings
  }

  expectHeartbeats(intervalMs: number): void {
    this.#untilIdle = this.#patience.untilIdleWith(intervalMs)
  }

  onPong(): void {
    this.#answersPings = true
  }

  /** @returns whether to ping the station: once, to find out whether it answers */
  probe(): boolean {
    const isProbed = this.#isProbed || this.#answersPings
    this.#isProbed = true
    return !isProbed
  }

  /** @returns what to do with the station now */
  sweep({ bytesRead, isHeld, isPaused }: Sighting): 'nothing' | 'ping' | 'end' {
    const isSilent = bytesRead === this.#bytesRead && !isPaused
    this.#bytesRead = bytesRead
    this.#silent = isSilent ? this.#silent + 1 : 0
    this.#idle = isSilent && !isHeld ? this.#idle + 1 : 0
    if (!isSilent) return 'nothing'
    const { untilPing } = this.#patience
    const isUnanswered = this.#answersPings && this.#silent >= (maxUnansweredPings + 1) * untilPing
    if (isUnanswered || this.#idle >= this.#untilIdle) return 'end'
    return this.#silent % untilPing === 0 ? 'ping' : 'nothing'
  }
}
