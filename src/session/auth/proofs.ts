/**
 * The best proof of identity of each station: one that has used a higher security profile is refused with a lower one.
 *
 * Spec: OCPP 1.6 security white paper A05.FR.09, OCPP 2.0.1 Part 2 A05.FR.07.
 */
import type { Meter } from '../../ops/metrics.ts'
import { remember, setRecent } from '../../ops/recent.ts'
import { mayUse, type Proof } from '../../translate/certificate.ts'
import type { StationHandshake, StationId } from '../../translate/handshake.ts'

const maxStations = 100_000

/** The part of what outlives the process that holds proofs; see `DurableMemory`. */
export interface DurableProofs {
  /**
   * Calls the listener with the proofs of the last process, oldest first, before anything of this one is written: at
   * once, or later.
   *
   * @param listener returns the stations whose changes until now are not to be written
   */
  onProofs(listener: (kept: readonly KeptProof[]) => readonly StationId[]): void
  keepProof(stationId: StationId, proof: Proof): void
}

type KeptProof = readonly [StationId, Proof]

export class Proofs {
  /** The best proof with which the app has accepted each station. */
  #best = new Map<StationId, Proof>()
  /** Whether the station may prove less than before. */
  readonly mayDowngrade: (stationId: StationId) => boolean
  readonly #meter: Meter
  /** `null` until the proofs of the last process are known: nothing weaker than these may be written. */
  #durable: DurableProofs | null = null

  /**
   * @param downgrades the stations that may prove less than before; `*` stands for all
   * @param durable what outlives the process; `null` if nothing does
   */
  constructor(meter: Meter, downgrades: readonly string[] = [], durable: DurableProofs | null = null) {
    this.mayDowngrade = stationId => downgrades.includes('*') || downgrades.includes(stationId)
    this.#meter = meter
    durable?.onProofs(kept => {
      this.#durable = durable
      return this.#merge(kept)
    })
  }

  /** The best proof with which the app has accepted the station; `null` if none is remembered. */
  of(stationId: StationId): Proof | null {
    return this.#best.get(stationId) ?? null
  }

  /** Why the station may not connect with what it proves now; `null` if it may. */
  downgradeProblem(handshake: StationHandshake): string | null {
    const { stationId } = handshake
    return this.#problem(stationId, this.of(stationId), proofOf(handshake))
  }

  /**
   * The app has accepted the station. Only what is checked counts: a stranger cannot raise what a station has to prove.
   */
  onAccepted(handshake: StationHandshake): void {
    const { stationId } = handshake
    const before = this.of(stationId)
    const proof = this.#better(stationId, before, proofOf(handshake))
    remember(this.#best, stationId, proof, { limit: maxStations, kind: 'proofs', meter: this.#meter })
    this.#keep(stationId, before, proof)
  }

  /** @returns the stations that have proved less in this process than in the last one, and may not */
  #merge(kept: readonly KeptProof[]): readonly StationId[] {
    const all = new Map(kept)
    const lower: StationId[] = []
    for (const [stationId, now] of this.#best) {
      const before = all.get(stationId) ?? null
      const proof = this.#better(stationId, before, now)
      setRecent(all, stationId, proof, Infinity)
      this.#keep(stationId, before, proof)
      if (this.#problem(stationId, before, now) !== null) lower.push(stationId)
    }
    this.#best = new Map([...all].slice(-maxStations))
    return lower
  }

  #keep(stationId: StationId, before: Proof | null, proof: Proof): void {
    if (before === null || !isEqual(before, proof)) this.#durable?.keepProof(stationId, proof)
  }

  #problem(stationId: StationId, before: Proof | null, now: Proof): string | null {
    if (before === null || this.mayDowngrade(stationId)) return null
    if (!mayUse(now.profile, before, now.version))
      return `The Charging Station has used security profile ${before.profile} before`
    return hasOtherSerialNumber(before, now)
      ? 'The client certificate has another serial number than the Charging Station had before'
      : null
  }

  /** What is remembered of a station that was accepted with one proof, and then with another. */
  #better(stationId: StationId, before: Proof | null, now: Proof): Proof {
    if (before === null || this.mayDowngrade(stationId)) return now
    if (now.profile < before.profile || hasOtherSerialNumber(before, now)) return before
    return { ...now, serialNumber: now.serialNumber ?? before.serialNumber }
  }
}

function proofOf({ proven, serialNumber, version }: StationHandshake): Proof {
  return { profile: proven, serialNumber: serialNumber ?? null, version }
}

function hasOtherSerialNumber(before: Proof, now: Proof): boolean {
  return before.serialNumber !== null && now.serialNumber !== null && now.serialNumber !== before.serialNumber
}

function isEqual(one: Proof, other: Proof): boolean {
  return one.profile === other.profile && one.serialNumber === other.serialNumber && one.version === other.version
}
