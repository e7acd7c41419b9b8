/**
 * The best proof of identity of each station: one that has used a higher security profile is refused with a lower one.
 *
 * Spec: OCPP 1.6 security white paper A05.FR.09, OCPP 2.0.1 Part 2 A05.FR.07.
 */
import type { Meter } from '../../ops/metrics.ts'
import { remember } from '../../ops/recent.ts'
import { mayUse, type Proof } from '../../translate/certificate.ts'
import type { StationHandshake, StationId } from '../../translate/handshake.ts'

const maxStations = 100_000

/** The part of what outlives the process that holds proofs; see `DurableMemory`. */
export interface DurableProofs {
  onOpened(listener: () => void): void
  readonly proofs: readonly (readonly [StationId, Proof])[]
  keepProof(stationId: StationId, proof: Proof): void
}

export class Proofs {
  /** The best proof with which the app has accepted each station. */
  #best = new Map<StationId, Proof>()
  /** Whether the station may prove less than before. */
  readonly mayDowngrade: (stationId: StationId) => boolean
  readonly #meter: Meter
  readonly #durable: DurableProofs | null

  /**
   * @param downgrades the stations that may prove less than before; `*` stands for all
   * @param durable what outlives the process; `null` if nothing does
   */
  constructor(meter: Meter, downgrades: readonly string[] = [], durable: DurableProofs | null = null) {
    this.mayDowngrade = stationId => downgrades.includes('*') || downgrades.includes(stationId)
    this.#meter = meter
    this.#durable = durable
    durable?.onOpened(() => {
      const all = new Map([...durable.proofs, ...this.#best])
      this.#best = new Map([...all].slice(-maxStations))
    })
  }

  /** The best proof with which the app has accepted the station; `null` if none is remembered. */
  of(stationId: StationId): Proof | null {
    return this.#best.get(stationId) ?? null
  }

  /** Why the station may not connect with what it proves now; `null` if it may. */
  downgradeProblem({ stationId, proven, version, serialNumber }: StationHandshake): string | null {
    const before = this.of(stationId)
    if (before === null || this.mayDowngrade(stationId)) return null
    if (!mayUse(proven, before, version))
      return `The Charging Station has used security profile ${before.profile} before`
    return serialNumber !== undefined && ![null, serialNumber].includes(before.serialNumber)
      ? 'The client certificate has another serial number than the Charging Station had before'
      : null
  }

  /**
   * The app has accepted the station. Only what is checked counts: a stranger cannot raise what a station has to prove.
   */
  onAccepted({ stationId, proven, serialNumber, version }: StationHandshake): void {
    const before = this.#best.get(stationId)
    const isLower = before !== undefined && proven < before.profile && !this.mayDowngrade(stationId)
    const proof = isLower ? before : { profile: proven, serialNumber: serialNumber ?? null, version }
    const isSame = before !== undefined && isEqual(before, proof)
    remember(this.#best, stationId, proof, { limit: maxStations, kind: 'proofs', meter: this.#meter })
    if (!isSame) this.#durable?.keepProof(stationId, proof)
  }
}

function isEqual(one: Proof, other: Proof): boolean {
  return one.profile === other.profile && one.serialNumber === other.serialNumber && one.version === other.version
}
