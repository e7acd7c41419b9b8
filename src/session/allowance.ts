/**
 * How many bytes a station may send before the app has accepted it: reading messages costs more than sending them, above all
 * compressed ones, and whoever has no credentials can send them.
 */
import { Budget } from '../ops/limits/budget.ts'
import type { StationHandshake } from '../translate/handshake.ts'
import type { Fleet } from './ports.ts'
import type { Station } from './station.ts'
import { credentialsOf } from './transactions/credentials.ts'

/** One large message, and smaller ones beside it. The largest of a station that the app accepted before has the default maximum size. */
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

/** The larger one for a station that the app accepted before; if it compresses, only with the same credentials as then. */
export function allowanceFor({ handshake, socket }: Station, fleet: Fleet, now: number): Budget {
  const hasProof = hasAcceptedCredentials(handshake, fleet)
  const isKnown = hasProof || fleet.serialNumberOf(handshake.stationId) !== null
  return newAllowance(now, isKnown && socket.expectLargeMessages(hasProof))
}

function hasAcceptedCredentials(handshake: StationHandshake, { known, backlog }: Fleet): boolean {
  if (credentialsOf(handshake) === '') return false
  return known.hasAccepted(handshake) || backlog?.knows(handshake) === true
}
