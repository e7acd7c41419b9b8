/** Timers that end what has a deadline. */

/** @param deadline as `Date` counts, a day from now at most; `Infinity`: none, and no timer */
export function atDeadline(deadline: number, end: () => void): NodeJS.Timeout | null {
  return deadline === Infinity ? null : setTimeout(end, Math.max(0, deadline - Date.now()))
}

export function clear(timer: NodeJS.Timeout | null): void {
  if (timer !== null) clearTimeout(timer)
}
