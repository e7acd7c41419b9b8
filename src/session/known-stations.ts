/**
 * What is remembered of all stations between their connections, besides their serial numbers.
 */
import { createHash } from 'node:crypto'
import { setRecent } from '../ops/recent.ts'
import type { StationHandshake, StationId } from '../translate/handshake.ts'

const maxStations = 100_000

export class KnownStations {
  readonly #heartbeats = new Map<StationId, number>()
  /**
   * A digest of the Authorization header with which the app last accepted each station: broken messages of a known station
   * do not end its connection. It needs no `state_dir`, and a wrong guess costs little.
   *
   * `AcceptedCredentials` has another use: it decides whose messages are stored. So it outlives the process, also counts the
   * cookie and the query of the URL, and ends when the app rejects the station.
   */
  readonly #accepted = new Map<StationId, string>()

  /** The heartbeat interval that the station was last told, in ms; `null` if none is known. */
  heartbeatIntervalOf(stationId: StationId): number | null {
    return this.#heartbeats.get(stationId) ?? null
  }

  keepHeartbeatInterval(stationId: StationId, intervalMs: number): void {
    setRecent(this.#heartbeats, stationId, intervalMs, maxStations)
  }

  /** Whether the app accepted the station's last connection with these credentials, or with none. */
  hasAccepted(handshake: StationHandshake): boolean {
    return this.#accepted.get(handshake.stationId) === digestOf(handshake)
  }

  /** Whether the app has accepted a station of this id, with whatever credentials. */
  isKnown(stationId: StationId): boolean {
    return this.#accepted.has(stationId)
  }

  onAccepted(handshake: StationHandshake): void {
    setRecent(this.#accepted, handshake.stationId, digestOf(handshake), maxStations)
  }
}

/** Of no credentials, too: a station without any is known by its id. */
function digestOf({ env }: StationHandshake): string {
  const credentials = env.headers['authorization'] ?? ''
  return createHash('sha256').update(credentials).digest('base64')
}
