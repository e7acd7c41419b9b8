/**
 * Times and durations as people read them.
 *
 * Pure: no DOM, no clock of its own.
 */

const units = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const

/** With its largest unit alone, or its two largest where the first is below ten: `45 s`, `3 min 10 s`, `2 d 4 h`. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  for (const [at, [unit, size]] of units.entries()) {
    if (whole < size) continue
    const count = Math.floor(whole / size)
    const [nextUnit, nextSize] = units[at + 1] ?? ['', 0]
    const rest = nextSize === 0 || count >= 10 ? 0 : Math.floor((whole % size) / nextSize)
    return rest === 0 ? `${count} ${unit}` : `${count} ${unit} ${rest} ${nextUnit}`
  }
  return '0 s'
}

/**
 * @param time as the admin API writes it
 * @param now  in ms since the epoch
 */
export function agoText(time: string, now: number): string {
  const seconds = (now - Date.parse(time)) / 1000
  return seconds < 1 ? 'now' : `${durationText(seconds)} ago`
}

/** The time of day with milliseconds, in the time zone of the reader. */
export function clockText(time: string): string {
  const date = new Date(time)
  const two = (part: number) => String(part).padStart(2, '0')
  const ms = String(date.getMilliseconds()).padStart(3, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`
}

/** The day and the time of day to the second, in the time zone of the reader. */
export function dateText(time: string): string {
  const date = new Date(time)
  const two = (part: number) => String(part).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${clockText(time).slice(0, 8)}`
}

export function msText(milliseconds: number): string {
  if (milliseconds < 10) return `${Math.round(milliseconds * 10) / 10} ms`
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${Math.round(milliseconds / 100) / 10} s`
}
