/**
 * Patterns for identities that hold for a time.
 */
import { fits } from '../../translate/validation.ts'
import { ProblemError } from '../problems.ts'
import { limits } from '../limits.ts'

/**
 * Whether an identity fits a pattern, which is `undefined` for all. Throws `ProblemError` for a pattern that takes long
 * to match; a whole identity may be longer.
 */
export function matcherOf(pattern: string | undefined): (stationId: string) => boolean {
  if (pattern === undefined || pattern === '*') return () => true
  if (!/[*?]/.test(pattern)) return stationId => stationId === pattern
  const { characters, stars } = limits.pattern
  if (pattern.length > characters || pattern.split('*').length - 1 > stars)
    throw new ProblemError('bad-request', `A pattern has at most ${characters} characters and ${stars} *`)
  return stationId => fits(stationId, pattern)
}

type InEffect<Value> = {
  readonly value: Value
  /** In ms of `World.now`. */
  readonly until: number
  readonly matches: (stationId: string) => boolean
  readonly timer: NodeJS.Timeout
}

/** Values by pattern, each with an end. */
export class Patterns<Value> {
  readonly #inEffect = new Map<string, InEffect<Value>>()
  readonly #onChange: () => void

  /** @param onChange called when a value was set or has ended */
  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  get isEmpty(): boolean {
    return this.#inEffect.size === 0
  }

  /** Throws `ProblemError` when there are too many, and for a pattern that takes long to match. */
  set(pattern: string, value: Value, now: number, forMs: number): void {
    if (!this.#inEffect.has(pattern) && this.#inEffect.size >= limits.watches)
      throw new ProblemError('too-many-requests', `${limits.watches} patterns are in effect`)
    const matches = matcherOf(pattern)
    clearTimeout(this.#inEffect.get(pattern)?.timer)
    const timer = setTimeout(() => this.delete(pattern), forMs).unref()
    this.#inEffect.set(pattern, { value, until: now + forMs, matches, timer })
    this.#onChange()
  }

  delete(pattern: string): void {
    clearTimeout(this.#inEffect.get(pattern)?.timer)
    this.#inEffect.delete(pattern)
    this.#onChange()
  }

  /** Those that fit. */
  *of(stationId: string): Generator<{ readonly value: Value; readonly until: number }> {
    for (const each of this.#inEffect.values()) if (each.matches(stationId)) yield each
  }

  has(stationId: string): boolean {
    return this.of(stationId).next().done !== true
  }

  *list(): Generator<{ readonly station: string; readonly until: number }> {
    for (const [station, { until }] of this.#inEffect) yield { station, until }
  }

  close(): void {
    for (const { timer } of this.#inEffect.values()) clearTimeout(timer)
    this.#inEffect.clear()
  }
}
