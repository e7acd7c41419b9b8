/**
 * How the time that is left at the end is spent, and how the stations' closes are spread over it.
 *
 * Pure. Source: AnyCable Pro's slow drain (`docs/configuration.md`); unlike there, each station's open calls are answered
 * before it is closed, and the Disconnects keep a share of the time.
 */

export type Drain = {
  /** How long the app is still asked for what a station has sent; after that, it is answered without. */
  readonly graceMs: number
  /** Over how long the closes are spread; 0: all at once. */
  readonly spreadMs: number
  /** When the Disconnects that the app has not got are given up, so that the rest can end in order. */
  readonly withinMs: number
}

export function drainWithin(leftMs: number, isSlow: boolean): Drain {
  const withinMs = leftMs * 0.9
  if (!isSlow) return { graceMs: leftMs / 3, spreadMs: 0, withinMs }
  return { graceMs: leftMs / 6, spreadMs: (leftMs * 2) / 3, withinMs }
}

/** A timer is not more exact than that; few stations are not kept waiting either (AnyCable's own pause). */
const pauses = { leastMs: 20, mostMs: 500 }

/** So many are closed at once, the fewest for the time, and then nothing for so long. */
export type Pace = { readonly atOnce: number; readonly pauseMs: number }

export function paceOf(stations: number, spreadMs: number): Pace {
  const turns = Math.max(1, Math.floor(spreadMs / pauses.leastMs))
  const atOnce = Math.max(1, Math.ceil(stations / turns))
  return { atOnce, pauseMs: Math.min(pauses.mostMs, spreadMs / Math.max(1, Math.ceil(stations / atOnce))) }
}
