/**
 * What is remembered of all stations between their connections, besides their serial numbers.
 */
import { createHash } from 'node:crypto'
import { setRecent } from '../ops/recent.ts'
import { mayUse, type Proof } from '../translate/certificate.ts'
import type { StationHandshake, StationId } from '../translate/handshake.ts'

const maxStations = 100_000

/** The part of what outlives the process that holds proofs; see `DurableMemory`. */
export interface DurableProofs {
  onOpened(listener: () => void): void
  readonly proofs: readonly (readonly [StationId, Proof])[]
  keepProof(stationId: StationId, proof: Proof): void
}

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
  /** The best proof with which the app has accepted each station. */
  #proofs = new Map<StationId, Proof>()
  readonly #mayDowngrade: (stationId: StationId) => boolean
  readonly #durable: DurableProofs | null

  /**
   * @param downgrades the stations that may prove less than before; `*` stands for all
   * @param durable what outlives the process; `null` if nothing does
   */
  constructor(downgrades: readonly string[] = [], durable: DurableProofs | null = null) {
    this.#mayDowngrade = stationId => downgrades.includes('*') || downgrades.includes(stationId)
    this.#durable = durable
    durable?.onOpened(() => {
      const all = new Map([...durable.proofs, ...this.#proofs])
      this.#proofs = new Map([...all].slice(-maxStations))
    })
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
    return this.#accepted.get(handshake.stationId) === digestOf(handshake)
  }

  onAccepted(handshake: StationHandshake): void {
    setRecent(this.#accepted, handshake.stationId, digestOf(handshake), maxStations)
    this.#keepProof(handshake)
  }

  /** Why the station may not come in with what it proves now; `null` if it may (1.6 A05.FR.09, 2.0.1 A05.FR.07). */
  downgradeProblem({ stationId, profile, version, serialNumber }: StationHandshake): string | null {
    const before = this.#proofs.get(stationId)
    if (before === undefined || this.#mayDowngrade(stationId)) return null
    if (!mayUse(profile, before.profile, version))
      return `The Charging Station has used security profile ${before.profile} before`
    return serialNumber !== undefined && ![null, serialNumber].includes(before.serialNumber)
      ? 'The client certificate has another serial number than the Charging Station had before'
      : null
  }

  #keepProof({ stationId, profile, serialNumber }: StationHandshake): void {
    const before = this.#proofs.get(stationId)
    const isLower = before !== undefined && profile < before.profile && !this.#mayDowngrade(stationId)
    const proof = isLower ? before : { profile, serialNumber: serialNumber ?? null }
    const isSame = before?.profile === proof.profile && before.serialNumber === proof.serialNumber
    setRecent(this.#proofs, stationId, proof, maxStations)
    if (!isSame) this.#durable?.keepProof(stationId, proof)
  }
}

/** Of no credentials, too: a station without any is known by its id. */
function digestOf({ env }: StationHandshake): string {
  const credentials = env.headers['authorization'] ?? ''
  return createHash('sha256').update(credentials).digest('base64')
}
