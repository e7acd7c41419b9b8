/** Timers that end what has a deadline. */

/** Node's take no longer ones: 24 days. */
const maxTimerMs = 2 ** 31 - 1

/** @param deadline as `Date` counts; `Infinity`: none, and no timer */
export function atDeadline(deadline: number, end: () => void): NodeJS.Timeout | null {
  if (deadline === Infinity) return null
  return setTimeout(end, Math.min(Math.max(0, deadline - Date.now()), maxTimerMs))
}

export function clear(timer: NodeJS.Timeout | null): void {
  if (timer !== null) clearTimeout(timer)
}
