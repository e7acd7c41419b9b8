/**
 * Times and durations for people.
 *
 * Pure but for the time zone.
 */

const units = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
] as const

/** `4d 2h`, `3h 5m`, `2m 10s`, `9s`: since a time in RFC 3339. */
export function sinceText(at: string, now: number): string {
  return durationText((now - Date.parse(at)) / 1000)
}

export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const at = units.findIndex(([, size]) => whole >= size)
  const [unit, size] = units[at] ?? ['s', 1]
  if (size === 1) return `${whole}s`
  const [lesser, lesserSize] = units[at + 1] ?? ['s', 1]
  const rest = Math.floor((whole % size) / lesserSize)
  return `${Math.floor(whole / size)}${unit}${rest === 0 ? '' : ` ${rest}${lesser}`}`
}

/** `08:03:01.204`, in the time zone of this machine. */
export function clockText(at: string): string {
  const date = new Date(at)
  const two = (part: number): string => String(part).padStart(2, '0')
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
  return `${time}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

/** `1.2 ms`, `340 ms`, `12.4 s`. */
export function latencyText(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}
