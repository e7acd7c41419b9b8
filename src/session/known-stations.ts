/**
 * What is remembered of all stations between their connections, besides their serial numbers.
 */
import type { Meter, Remembered } from '../ops/metrics.ts'
import { remember } from '../ops/recent.ts'
import { fingerprintIn } from '../translate/certificate.ts'
import type { StationHandshake, StationId } from '../translate/handshake.ts'
import { Guesses } from './auth/guesses.ts'
import type { Drawing } from './auth/lots.ts'
import { Proofs, type DurableProofs } from './auth/proofs.ts'
import { Rejections } from './auth/rejections.ts'
import type { Verdict } from './auth/verdict.ts'
import { credentialsDigest } from './transactions/credentials.ts'

const maxStations = 100_000

/** `fingerprint` is that of its verified certificate; `null` if it had none. */
type Accepted = { readonly digest: string; readonly fingerprint: string | null }

export class KnownStations {
  readonly proofs: Proofs
  readonly guesses: Guesses
  readonly rejections: Rejections
  readonly #meter: Meter
  readonly #heartbeats = new Map<StationId, number>()
  /**
   * A digest of the credentials, and the certificate, with which the app last accepted each station: broken messages of
   * a known station do not end its connection. It needs no `state_dir`, and a wrong guess costs little.
   *
   * `AcceptedCredentials` has another use: it decides whose messages are stored. So it outlives the process.
   */
  readonly #accepted = new Map<StationId, Accepted>()

  /**
   * @param downgrades as in `Proofs`
   * @param durable what outlives the process; `null` if nothing does
   */
  constructor(drawing: Drawing, downgrades: readonly string[] = [], durable: DurableProofs | null = null) {
    const { now, meter } = drawing
    this.#meter = meter
    this.proofs = new Proofs(meter, downgrades, durable)
    this.guesses = new Guesses(drawing)
    this.rejections = new Rejections({ now, meter })
  }

  /** The heartbeat interval that the station was last told, in ms; `null` if none is known. */
  heartbeatIntervalOf(stationId: StationId): number | null {
    return this.#heartbeats.get(stationId) ?? null
  }

  keepHeartbeatInterval(stationId: StationId, intervalMs: number): void {
    this.#remember(this.#heartbeats, stationId, intervalMs, 'heartbeats')
  }

  /** Whether the app accepted the station's last connection with these credentials, or with none. */
  hasAccepted(handshake: StationHandshake): boolean {
    return this.#accepted.get(handshake.stationId)?.digest === credentialsDigest(handshake)
  }

  /**
   * Whether the station has the certificate of its last connection that the app accepted. The PROXY protocol tells no
   * fingerprint: an empty one proves nothing.
   */
  hasAcceptedCertificate({ stationId, env }: StationHandshake): boolean {
    const fingerprint = fingerprintIn(env.headers)
    return fingerprint !== null && fingerprint !== '' && this.#accepted.get(stationId)?.fingerprint === fingerprint
  }

  /** Whether the app has accepted a station of this id, with whatever credentials. */
  isKnown(stationId: StationId): boolean {
    return this.#accepted.has(stationId)
  }

  /**
   * The app is about to judge the station. Credentials that it has accepted before are no guess.
   *
   * @returns ends the attempt; call it when the app has judged the station, or cannot. `null`: there is no attempt
   */
  onAsking(handshake: StationHandshake): (() => void) | null {
    return this.hasAccepted(handshake) ? null : this.guesses.begin(handshake)
  }

  /** Whether the app may not be asked about the station now, because of guesses. */
  isPutOff(handshake: StationHandshake): boolean {
    return !this.hasAccepted(handshake) && this.guesses.waitSeconds(handshake) !== null
  }

  onAccepted(handshake: StationHandshake): void {
    const accepted = { digest: credentialsDigest(handshake), fingerprint: fingerprintIn(handshake.env.headers) }
    this.#remember(this.#accepted, handshake.stationId, accepted, 'credentials')
    this.proofs.onAccepted(handshake)
    this.rejections.delete(handshake)
    this.guesses.onAccepted(handshake)
  }

  /** The app has rejected the station at Connect. Credentials that it has rejected before are no guess. */
  onRejected(handshake: StationHandshake, verdict: Verdict): void {
    if (this.hasAccepted(handshake)) this.#accepted.delete(handshake.stationId)
    if (this.rejections.add(handshake, verdict)) this.guesses.add(handshake)
  }

  #remember<Value>(map: Map<StationId, Value>, stationId: StationId, value: Value, kind: Remembered): void {
    remember(map, stationId, value, { limit: maxStations, kind, meter: this.#meter })
  }
}
