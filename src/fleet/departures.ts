/**
 * Stations that are not connected: when they were last seen and why they left, or why their upgrade was refused.
 */
import { setRecent } from '../ops/recent.ts'
import type { Departure, Member, RefusedUpgrade, SessionEnd } from '../session/ports.ts'
import type { StationId } from '../translate/handshake.ts'

/** Of each kind: whoever connects chooses the identity, so a flood of refusals does not evict departures. */
const maxStations = 10_000
/** Of each departure: all that a connection keeps is too much for so many stations. */
const maxErrors = 3

export class Departures {
  readonly #now: () => number
  readonly #left = new Map<StationId, Departure>()
  readonly #refused = new Map<StationId, RefusedUpgrade>()

  /** @param now monotonic, in ms */
  constructor(now: () => number) {
    this.#now = now
  }

  get size(): number {
    return this.#left.size
  }

  *stationIds(): Generator<StationId> {
    yield* this.#left.keys()
    for (const stationId of this.#refused.keys()) if (!this.#left.has(stationId)) yield stationId
  }

  leftOf(stationId: StationId): Departure | null {
    return this.#left.get(stationId) ?? null
  }

  refusedOf(stationId: StationId): RefusedUpgrade | null {
    return this.#refused.get(stationId) ?? null
  }

  onLeft({ handshake, view }: Member, { code, reason }: SessionEnd): void {
    const { stationId, version, env } = handshake
    const address = env.headers['REMOTE_ADDR'] ?? ''
    const errors = view.errors.slice(-maxErrors)
    const departure = { at: this.#now(), code, reason, version, address, sn: view.sn, errors }
    setRecent(this.#left, stationId, departure, maxStations)
  }

  onRefused(stationId: StationId, { status, reason, address }: Omit<RefusedUpgrade, 'at'>): void {
    setRecent(this.#refused, stationId, { at: this.#now(), status, reason, address }, maxStations)
  }
}
