/**
 * Takeovers of a station's connection by a newer one. Two stations with one identity, or one stuck in a reconnect loop,
 * replace each other's connections without end; each takeover costs the app a Disconnect and a Connect, so a flapping
 * station is slowed down.
 */
import { setRecent } from '../ops/recent.ts'
import { Pause } from '../session/calls/pause.ts'
import type { StationId } from '../translate/handshake.ts'

const windowMs = 60_000
/** A station that only reconnects makes no more takeovers than that within the window. */
const harmless = 2
const slowdown = { firstMs: 5_000, mostMs: 20_000 }
/** How many takeovers of a station are counted; more make no difference. */
const maxTimes = 10
/** How many stations are watched: those with the latest takeovers. */
const maxStations = 10_000

export class Takeovers {
  /** When each station's connections were replaced, within the window. */
  readonly #times = new Map<StationId, readonly number[]>()
  /** The connections being slowed down, by station. */
  readonly #waits = new Map<StationId, Map<object, Pause>>()

  /** @param now monotonic, in ms */
  isFlapping(stationId: StationId, now: number): boolean {
    return this.#recent(stationId, now).length >= harmless
  }

  /** How long the station's next takeover has to wait. Its connections wait for the same time, so none starts anew. */
  waitMs(stationId: StationId, now: number): number {
    const recent = this.#recent(stationId, now)
    const excess = recent.length - harmless
    if (excess < 0) return 0
    const delayMs = Math.min(slowdown.firstMs * 2 ** excess, slowdown.mostMs)
    return Math.max(0, (recent.at(-1) ?? now) + delayMs - now)
  }

  /** Notes a takeover. */
  add(stationId: StationId, now: number): void {
    const times = [...this.#recent(stationId, now), now].slice(-maxTimes)
    setRecent(this.#times, stationId, times, maxStations)
  }

  /** Resolves when `newer` may take over, or when either connection is gone (`endWaits`). */
  async delay(stationId: StationId, newer: object, now: number): Promise<void> {
    const waits = this.#waits.get(stationId) ?? new Map<object, Pause>()
    const pause = new Pause()
    this.#waits.set(stationId, waits.set(newer, pause))
    await pause.wait(this.waitMs(stationId, now))
    waits.delete(newer)
    if (waits.size === 0) this.#waits.delete(stationId)
  }

  /** @param newer the connection that waits no longer; without it, none of the station's do */
  endWaits(stationId: StationId, newer?: object): void {
    for (const [connection, pause] of this.#waits.get(stationId) ?? [])
      if (newer === undefined || connection === newer) pause.end()
  }

  endAllWaits(): void {
    for (const stationId of this.#waits.keys()) this.endWaits(stationId)
  }

  #recent(stationId: StationId, now: number): readonly number[] {
    return (this.#times.get(stationId) ?? []).filter(time => now - time < windowMs)
  }
}
