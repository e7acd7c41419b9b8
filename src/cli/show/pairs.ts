/**
 * Brings a CALL and its answer together: frames of ten thousand stations pass between them.
 *
 * Pure.
 */
import type { TypeOf } from '../../admin/shapes.ts'
import type { frame } from '../../admin/answers.ts'

export type Frame = TypeOf<typeof frame>

/** CALLs that wait for their answer. */
const maxWaiting = 1_000

/** For how long a CALL waits for its answer before it is shown by itself. */
export const waitMs = 5_000

type Waiting<F> = { readonly frame: F; readonly until: number }

export class Pairs<F extends Frame> {
  readonly #onlyErrors: boolean
  readonly #now: () => number
  readonly #waiting = new Map<string, Waiting<F>>()

  /** @param onlyErrors shows errors, refused cards among them, and their CALLs; a CALL then waits until its answer */
  constructor(onlyErrors: boolean, now: () => number) {
    this.#onlyErrors = onlyErrors
    this.#now = now
  }

  /** @returns what to show now, in order */
  add(frame: F): readonly F[] {
    if (frame.type === 'call') return this.#keep(frame)
    const key = keyOf(frame, frame.direction === 'received' ? 'sent' : 'received')
    const call = frame.type === 'callResult' || frame.type === 'callError' ? this.#waiting.get(key) : undefined
    if (call !== undefined) this.#waiting.delete(key)
    if (this.#onlyErrors && !frame.isError) return []
    return call === undefined ? [frame] : [call.frame, frame]
  }

  /** CALLs that have waited long enough. */
  due(): readonly F[] {
    if (this.#onlyErrors) return []
    const now = this.#now()
    const due = [...this.#waiting].filter(([, { until }]) => until <= now)
    for (const [key] of due) this.#waiting.delete(key)
    return due.map(([, { frame }]) => frame)
  }

  #keep(frame: F): readonly F[] {
    const [oldest] = this.#waiting.size < maxWaiting ? [] : this.#waiting
    if (oldest !== undefined) this.#waiting.delete(oldest[0])
    const key = keyOf(frame, frame.direction)
    const before = this.#waiting.get(key)
    this.#waiting.delete(key)
    this.#waiting.set(key, { frame, until: this.#now() + waitMs })
    const shown = [...(oldest === undefined ? [] : [oldest[1].frame]), ...(before === undefined ? [] : [before.frame])]
    return this.#onlyErrors ? [] : shown
  }
}

function keyOf({ station, sid, id }: Frame, direction: Frame['direction']): string {
  return JSON.stringify([station, sid, id, direction])
}
