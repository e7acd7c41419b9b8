/**
 * How many bytes a station may send before the app has accepted it: reading messages costs more than sending them,
 * above all compressed ones, and whoever has no credentials can send them.
 */
import { Budget } from '../ops/limits/budget.ts'
import type { Meter } from '../ops/metrics.ts'
import type { StationHandshake } from '../translate/handshake.ts'
import type { Fleet } from './ports.ts'
import type { Station } from './station.ts'
import { credentialsOf } from './transactions/credentials.ts'

/**
 * One large message, and smaller ones beside it. The largest of a station that the app accepted before has the default
 * maximum size.
 */
const capacityBytes = { known: 1024 * 1024 + 64 * 1024, unknown: 2 * 64 * 1024 }
/** Far more than a station sends while it waits for a slow app. */
const refillPerSecond = 16 * 1024

/**
 * @param now monotonic, in ms
 * @param isKnown whether the app accepted the station before
 */
export function newAllowance(now: number, isKnown: boolean): Budget {
  return new Budget({ perSecond: refillPerSecond, burst: capacityBytes[isKnown ? 'known' : 'unknown'] }, now)
}

/** What a station may send until the app has accepted it. */
export class Allowance {
  readonly #budget: Budget
  readonly #meter: Meter

  constructor(budget: Budget, meter: Meter) {
    this.#budget = budget
    this.#meter = meter
  }

  /** @returns whether the bytes fit; the connection is closed if not */
  admits(bytes: number, now: number): boolean {
    if (this.#budget.spend(bytes, now) >= 0) return true
    this.#meter.count('ocpp_limit_total', { limit: 'unaccepted_bytes' })
    return false
  }
}

/**
 * The larger one for a station that the app accepted before; if it compresses, only with the same credentials, or the
 * same certificate, as then.
 */
export function allowanceFor({ handshake, socket, world }: Station, fleet: Fleet, now: number): Allowance {
  const hasProof = hasAcceptedCredentials(handshake, fleet)
  const isKnown = hasProof || fleet.serialNumberOf(handshake.stationId) !== null
  return new Allowance(newAllowance(now, isKnown && socket.expectLargeMessages(hasProof)), world.meter)
}

/** Whether the app accepted the station before with the credentials, or the certificate, that it has now. */
export function hasAcceptedCredentials(
  handshake: StationHandshake,
  { known, backlog }: Pick<Fleet, 'known' | 'backlog'>,
): boolean {
  if (known.hasAcceptedCertificate(handshake)) return true
  if (credentialsOf(handshake) === '') return false
  return known.hasAccepted(handshake) || backlog?.knows(handshake) === true
}
