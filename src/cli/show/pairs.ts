/**
 * Brings a CALL and its answer together: frames of ten thousand stations pass between them.
 *
 * Pure.
 */
import type { TypeOf } from '../../admin/shapes.ts'
import type { frame } from '../../admin/answers.ts'

export type Frame = TypeOf<typeof frame>

/** CALLs that wait for their answer. */
const maxHeld = 1_000

/** For how long a CALL waits for its answer before it is shown by itself. */
export const holdMs = 5_000

type Held<F> = { readonly frame: F; readonly until: number }

export class Pairs<F extends Frame> {
  readonly #onlyErrors: boolean
  readonly #now: () => number
  readonly #held = new Map<string, Held<F>>()

  /** @param onlyErrors shows errors and their CALLs; a CALL then waits until its answer */
  constructor(onlyErrors: boolean, now: () => number) {
    this.#onlyErrors = onlyErrors
    this.#now = now
  }

  /** @returns what to show now, in order */
  add(frame: F): readonly F[] {
    if (frame.type === 'call') return this.#hold(frame)
    const isError = frame.type === 'callError' || frame.type === 'callResultError' || frame.type === 'malformed'
    const key = keyOf(frame, frame.direction === 'received' ? 'sent' : 'received')
    const call = frame.type === 'callResult' || frame.type === 'callError' ? this.#held.get(key) : undefined
    if (call !== undefined) this.#held.delete(key)
    if (this.#onlyErrors && !isError) return []
    return call === undefined ? [frame] : [call.frame, frame]
  }

  /** CALLs that have waited long enough. */
  due(): readonly F[] {
    if (this.#onlyErrors) return []
    const now = this.#now()
    const due = [...this.#held].filter(([, { until }]) => until <= now)
    for (const [key] of due) this.#held.delete(key)
    return due.map(([, { frame }]) => frame)
  }

  #hold(frame: F): readonly F[] {
    const [oldest] = this.#held.size < maxHeld ? [] : this.#held
    if (oldest !== undefined) this.#held.delete(oldest[0])
    const key = keyOf(frame, frame.direction)
    const before = this.#held.get(key)
    this.#held.delete(key)
    this.#held.set(key, { frame, until: this.#now() + holdMs })
    const shown = [...(oldest === undefined ? [] : [oldest[1].frame]), ...(before === undefined ? [] : [before.frame])]
    return this.#onlyErrors ? [] : shown
  }
}

function keyOf({ station, sid, id }: Frame, direction: Frame['direction']): string {
  return JSON.stringify([station, sid, id, direction])
}
