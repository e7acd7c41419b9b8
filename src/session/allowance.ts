/**
 * How many bytes a station may send before the app has accepted it: reading messages costs more than sending them, above all
 * compressed ones, and whoever has no credentials can send them.
 */
import type { Fleet } from './ports.ts'
import type { Station } from './station.ts'

/** One large message, and smaller ones beside it. The largest of a station that the app accepted before has the default maximum size. */
const capacityBytes = { known: 1024 * 1024 + 64 * 1024, unknown: 2 * 64 * 1024 }
/** Far more than a station sends while it waits for a slow app. */
const refillPerSecond = 16 * 1024

export class Allowance {
  readonly #capacity: number
  #left: number
  #at: number

  /**
   * @param now monotonic, in ms
   * @param isKnown whether the app accepted the station before
   */
  constructor(now: number, isKnown: boolean) {
    this.#capacity = isKnown ? capacityBytes.known : capacityBytes.unknown
    this.#left = this.#capacity
    this.#at = now
  }

  /** @returns whether so many bytes are still allowed */
  take(bytes: number, now: number): boolean {
    const refill = ((now - this.#at) / 1000) * refillPerSecond
    this.#left = Math.min(this.#capacity, this.#left + refill) - bytes
    this.#at = now
    return this.#left >= 0
  }
}

/** The larger one for a station that the app accepted before, unless it compresses. */
export function allowanceFor({ handshake, socket }: Station, fleet: Fleet, now: number): Allowance {
  const isKnown = fleet.serialNumberOf(handshake.stationId) !== null
  return new Allowance(now, isKnown && socket.expectLargeMessages())
}
