/**
 * Stations that replace their own connection again and again, with both alive: two of them with one identity, or one
 * that has lost its mind. Each swap costs the app a Disconnect and a Connect, so a flapping pair is slowed down.
 */
import type { StationId } from '../translate/handshake.ts'

const windowMs = 60_000
/** So many swaps within the window are a station that reconnects; the next ones are a pair that flaps. */
const harmless = 2
const slowdown = { firstMs: 5_000, mostMs: 20_000 }
/** How many stations are watched, those that swapped last. */
const maxStations = 10_000

export class Swaps {
  /** When each station swapped, within the window; the latest stations last. */
  readonly #times = new Map<StationId, readonly number[]>()
  /** Who is slowed down, and how its waiting ends. */
  readonly #waiting = new Map<StationId, Map<object, () => void>>()

  /** @param now as `Date` counts */
  isFlapping(stationId: StationId, now: number): boolean {
    return this.#delayMs(stationId, now) > 0
  }

  /** Notes a swap. */
  add(stationId: StationId, now: number): void {
    const times = [...this.#recent(stationId, now), now].slice(-10)
    this.#times.delete(stationId)
    this.#times.set(stationId, times)
    const [oldest] = this.#times.keys()
    if (this.#times.size > maxStations && oldest !== undefined) this.#times.delete(oldest)
  }

  /**
   * Resolves when the next swap may be made, or one of the two is gone (`wake`).
   *
   * @param newer the connection that waits
   */
  async turn(stationId: StationId, newer: object, now: number): Promise<void> {
    const delayMs = this.#delayMs(stationId, now)
    const waiting = this.#waiting.get(stationId) ?? new Map<object, () => void>()
    this.#waiting.set(stationId, waiting)
    await new Promise<void>(resolve => {
      const timer = setTimeout(end, delayMs)
      function end(): void {
        clearTimeout(timer)
        waiting.delete(newer)
        resolve()
      }
      waiting.set(newer, end)
    })
    if (waiting.size === 0) this.#waiting.delete(stationId)
  }

  /** @param newer the one that waits no longer; all of the station's, for there is nothing left to replace, where none */
  wake(stationId: StationId, newer?: object): void {
    for (const [each, end] of [...(this.#waiting.get(stationId) ?? [])]) {
      if (newer === undefined || each === newer) end()
    }
  }

  wakeAll(): void {
    for (const stationId of [...this.#waiting.keys()]) this.wake(stationId)
  }

  #recent(stationId: StationId, now: number): readonly number[] {
    return (this.#times.get(stationId) ?? []).filter(time => now - time < windowMs)
  }

  #delayMs(stationId: StationId, now: number): number {
    const excess = this.#recent(stationId, now).length - harmless
    return excess < 0 ? 0 : Math.min(slowdown.firstMs * 2 ** excess, slowdown.mostMs)
  }
}
