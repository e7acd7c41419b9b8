/**
 * The answers to stations that may not connect.
 */
import type { Verdict } from '../../session/auth/verdict.ts'
import { challenge, refused, retryLater, type Refusal } from '../../translate/handshake.ts'

/**
 * The Retry-After of stations that could not be judged: at least so long, and a random time on top, so that they spread
 * out.
 */
const unjudgedSeconds = { least: 10, spread: 50 }

export function draining(): Refusal {
  return refused(503, 'draining', 'The CSMS is shutting down', retryLater)
}

export function full(): Refusal {
  return refused(503, 'full', 'The CSMS has reached its connection limit', retryLater)
}

/** A newer upgrade of the same peer waits instead. */
export function replaced(): Refusal {
  return refused(503, 'replaced', 'Replaced by a newer upgrade of this Charging Station', retryLater)
}

export function guessed(waitSeconds: number | null): Refusal | null {
  if (waitSeconds === null) return null
  return refused(429, 'guessing', 'Too many failed authentications', { 'Retry-After': waitSeconds })
}

/** @param random in [0, 1) */
export function unjudged(problem: string, random: number): Refusal {
  const seconds = Math.ceil(unjudgedSeconds.least + unjudgedSeconds.spread * random)
  return refused(503, 'unavailable', problem, { 'Retry-After': seconds })
}

/** @param seconds for how long the verdict stands without another look; `null` where each try is judged */
export function rejected(verdict: Verdict, seconds: number | null = null): Refusal {
  const headers = seconds === null ? {} : { 'Retry-After': seconds }
  if (verdict === 'unknown') return refused(404, 'unknown', 'The CSMS does not know this Charging Station', headers)
  return refused(401, 'unauthorized', 'The CSMS does not accept these credentials', { ...challenge, ...headers })
}
