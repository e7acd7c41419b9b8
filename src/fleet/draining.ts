/**
 * How the time left at shutdown is spent, and how the stations' closes are spread over it.
 *
 * Pure. Source: AnyCable Pro's slow drain (`docs/configuration.md`); unlike there, each station's open calls are
 * answered before its close, and the Disconnects keep a share of the time.
 */

export type Drain = {
  /** How long the app is still asked for what a station has sent; then the station is answered without the app. */
  readonly graceMs: number
  /** The time over which the closes are spread; 0: all at once. */
  readonly spreadMs: number
  /** When Disconnects without a reply are given up, so that the rest can end in order. */
  readonly withinMs: number
}

export function drainWithin(leftMs: number, isSlow: boolean): Drain {
  const withinMs = leftMs * 0.9
  if (!isSlow) return { graceMs: leftMs / 3, spreadMs: 0, withinMs }
  return { graceMs: leftMs / 6, spreadMs: (leftMs * 2) / 3, withinMs }
}

/** Timers are no more exact than the shorter one; with few stations no pause is longer than AnyCable's own. */
const pauses = { leastMs: 20, mostMs: 500 }

/** How many stations are closed at once, and the pause after that. */
export type Pace = { readonly atOnce: number; readonly pauseMs: number }

export function paceOf(stations: number, spreadMs: number): Pace {
  const steps = Math.max(1, Math.floor(spreadMs / pauses.leastMs))
  const atOnce = Math.max(1, Math.ceil(stations / steps))
  return { atOnce, pauseMs: Math.min(pauses.mostMs, spreadMs / Math.max(1, Math.ceil(stations / atOnce))) }
}
