/**
 * Messages of each station between two looks at it, for its sparkline.
 *
 * Pure: no DOM.
 */

const kept = 30

type Seen = { total: number; readonly steps: number[] }

export class Rates {
  readonly #byStation = new Map<string, Seen>()

  /** @param total messages of the station's connection so far; it falls when a new connection begins */
  add(id: string, total: number): void {
    const seen = this.#byStation.get(id)
    if (seen === undefined) {
      this.#byStation.set(id, { total, steps: [] })
      return
    }
    seen.steps.push(total < seen.total ? total : total - seen.total)
    if (seen.steps.length > kept) seen.steps.shift()
    seen.total = total
  }

  /** Oldest first; empty before the second look. */
  of(id: string): readonly number[] {
    return this.#byStation.get(id)?.steps ?? []
  }
}

/** The points of a polyline in a box, the latest at its right edge. */
export function sparkline(steps: readonly number[], width: number, height: number): string {
  const most = Math.max(1, ...steps)
  const step = width / (kept - 1)
  return steps
    .map((count, at) => {
      const x = width - (steps.length - 1 - at) * step
      const y = height - 1 - (count / most) * (height - 2)
      return `${Math.round(x * 10) / 10},${Math.round(y * 10) / 10}`
    })
    .join(' ')
}
