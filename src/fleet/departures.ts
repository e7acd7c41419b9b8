/**
 * Stations that are not connected: when they were last seen and why they left, or why their upgrade was refused.
 */
import { setRecent } from '../ops/recent.ts'
import type { KeptError, Member, SessionEnd } from '../session/ports.ts'
import type { Version } from '../ocpp/version.ts'
import type { StationId } from '../translate/handshake.ts'

/** How the last connection of a station ended; times in ms of `World.now`. */
export type Departure = SessionEnd & {
  readonly at: number
  readonly version: Version
  readonly address: string
  readonly sn: string | null
  /** The last ones of the connection, the latest last. */
  readonly errors: readonly KeptError[]
}

/** The last refused upgrade of a station. */
export type Refused = {
  readonly at: number
  readonly status: number
  readonly reason: string
  readonly address: string
}

/** Of each kind: whoever connects chooses the identity, so a flood of refusals does not evict departures. */
const maxStations = 10_000
/** Of each departure: all that a connection keeps is too much for so many stations. */
const maxErrors = 3

export class Departures {
  readonly #now: () => number
  readonly #left = new Map<StationId, Departure>()
  readonly #refused = new Map<StationId, Refused>()

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

  refusedOf(stationId: StationId): Refused | null {
    return this.#refused.get(stationId) ?? null
  }

  onLeft({ handshake, view }: Member, { code, reason }: SessionEnd): void {
    const { stationId, version, env } = handshake
    const address = env.headers['REMOTE_ADDR'] ?? ''
    const errors = view.errors.slice(-maxErrors)
    const departure = { at: this.#now(), code, reason, version, address, sn: view.sn, errors }
    setRecent(this.#left, stationId, departure, maxStations)
  }

  onRefused(stationId: StationId, { status, reason, address }: Omit<Refused, 'at'>): void {
    setRecent(this.#refused, stationId, { at: this.#now(), status, reason, address }, maxStations)
  }
}
