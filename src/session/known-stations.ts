/**
 * What is remembered of all stations between their connections, besides their serial numbers.
 */
import { setRecent } from '../ops/recent.ts'
import type { StationHandshake, StationId } from '../translate/handshake.ts'
import { Guesses } from './auth/guesses.ts'
import { Proofs, type DurableProofs } from './auth/proofs.ts'
import { Rejections } from './auth/rejections.ts'
import type { Verdict } from './auth/verdict.ts'
import { credentialsDigest } from './transactions/credentials.ts'

const maxStations = 100_000

export class KnownStations {
  readonly proofs: Proofs
  readonly guesses: Guesses
  readonly rejections: Rejections
  readonly #heartbeats = new Map<StationId, number>()
  /**
   * A digest of the credentials with which the app last accepted each station: broken messages of a known station
   * do not end its connection. It needs no `state_dir`, and a wrong guess costs little.
   *
   * `AcceptedCredentials` has another use: it decides whose messages are stored. So it outlives the process.
   */
  readonly #accepted = new Map<StationId, string>()

  /**
   * @param now monotonic, in ms
   * @param downgrades as in `Proofs`
   * @param durable what outlives the process; `null` if nothing does
   */
  constructor(now: () => number, downgrades: readonly string[] = [], durable: DurableProofs | null = null) {
    this.proofs = new Proofs(downgrades, durable)
    this.guesses = new Guesses(now)
    this.rejections = new Rejections(now)
  }

  /** The heartbeat interval that the station was last told, in ms; `null` if none is known. */
  heartbeatIntervalOf(stationId: StationId): number | null {
    return this.#heartbeats.get(stationId) ?? null
  }

  keepHeartbeatInterval(stationId: StationId, intervalMs: number): void {
    setRecent(this.#heartbeats, stationId, intervalMs, maxStations)
  }

  /** Whether the app accepted the station's last connection with these credentials, or with none. */
  hasAccepted(handshake: StationHandshake): boolean {
    return this.#accepted.get(handshake.stationId) === credentialsDigest(handshake)
  }

  /** Whether the app has accepted a station of this id, with whatever credentials. */
  isKnown(stationId: StationId): boolean {
    return this.#accepted.has(stationId)
  }

  /**
   * The app is about to judge the station. Credentials that it has accepted before are no guess.
   *
   * @returns called once it has, or the station has left
   */
  onAsking(handshake: StationHandshake): () => void {
    return this.hasAccepted(handshake) ? () => undefined : this.guesses.begin(handshake)
  }

  onAccepted(handshake: StationHandshake): void {
    setRecent(this.#accepted, handshake.stationId, credentialsDigest(handshake), maxStations)
    this.proofs.onAccepted(handshake)
    this.rejections.delete(handshake)
    this.guesses.onAccepted(handshake)
  }

  /** The app has rejected the station at Connect. Credentials that it has rejected before are no guess. */
  onRejected(handshake: StationHandshake, verdict: Verdict): void {
    if (this.hasAccepted(handshake)) this.#accepted.delete(handshake.stationId)
    if (this.rejections.add(handshake, verdict)) this.guesses.add(handshake)
  }
}
