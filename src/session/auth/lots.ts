/**
 * Who gets the next attempt, of the credentials that were put off: a draw among those that came back.
 */
import type { Meter } from '../../ops/metrics.ts'
import { remember, type ClockAndMeter } from '../../ops/recent.ts'

/** From the last visit on. */
const rememberedMs = 60_000
/** Credentials remembered: in all, and in the draw of one station at one address. */
const limits = { all: 100_000, drawn: 256 }

export type Drawing = ClockAndMeter & { readonly random: () => number }

/** `once`: put off, and not seen since. `back`: takes part in the draw. `won`: may attempt. */
type Lot = { readonly guesser: string; readonly at: number; readonly state: 'once' | 'back' | 'won' }

export class Lots {
  readonly #now: () => number
  readonly #random: () => number
  readonly #meter: Meter
  /** By guesser and digest, the latest visit last. */
  readonly #lots = new Map<string, Lot>()
  /** What takes part in each guesser's draw. */
  readonly #draws = new Map<string, string[]>()

  constructor({ now, random, meter }: Drawing) {
    this.#now = now
    this.#random = random
    this.#meter = meter
  }

  /** @param guesser the station and its address; its credentials come back with the second visit */
  visit(guesser: string, digest: string): void {
    this.#forget()
    const id = idOf(guesser, digest)
    const state = this.#lots.get(id)?.state
    this.#set(id, { guesser, at: this.#now(), state: state === undefined ? 'once' : state === 'won' ? 'won' : 'back' })
    if (state === 'once') this.#enter(guesser, id)
  }

  /** Lets one of those that came back win; the visitor if there are none. */
  draw(guesser: string, digest: string): void {
    const ids = this.#draws.get(guesser) ?? []
    const id = ids[Math.floor(this.#random() * ids.length)]
    if (id === undefined) return this.win(guesser, digest)
    const lot = this.#lots.get(id)
    this.#leave(guesser, id)
    if (lot !== undefined) this.#lots.set(id, { ...lot, state: 'won' })
  }

  hasWon(guesser: string, digest: string): boolean {
    return this.#lots.get(idOf(guesser, digest))?.state === 'won'
  }

  win(guesser: string, digest: string): void {
    const id = idOf(guesser, digest)
    this.#leave(guesser, id)
    this.#set(id, { guesser, at: this.#now(), state: 'won' })
  }

  delete(guesser: string, digest: string): void {
    const id = idOf(guesser, digest)
    this.#leave(guesser, id)
    this.#lots.delete(id)
  }

  /** In a full draw, the place of a random one: who came first does not keep the others out. */
  #enter(guesser: string, id: string): void {
    const ids = this.#draws.get(guesser) ?? []
    this.#draws.set(guesser, ids)
    if (ids.length < limits.drawn) ids.push(id)
    else {
      const at = Math.floor(this.#random() * ids.length)
      const replaced = ids[at]
      ids[at] = id
      if (replaced !== undefined) this.#lots.delete(replaced)
    }
  }

  #leave(guesser: string, id: string): void {
    const ids = this.#draws.get(guesser)
    const at = ids?.indexOf(id) ?? -1
    if (ids === undefined || at < 0) return
    ids.splice(at, 1)
    if (ids.length === 0) this.#draws.delete(guesser)
  }

  #set(id: string, lot: Lot): void {
    const [oldest] = this.#lots.size >= limits.all && !this.#lots.has(id) ? this.#lots : []
    if (oldest !== undefined) this.#leave(oldest[1].guesser, oldest[0])
    remember(this.#lots, id, lot, { limit: limits.all, kind: 'put_off', meter: this.#meter })
  }

  #forget(): void {
    for (const [id, { guesser, at }] of this.#lots) {
      if (this.#now() - at < rememberedMs) return
      this.#leave(guesser, id)
      this.#lots.delete(id)
    }
  }
}

function idOf(guesser: string, digest: string): string {
  return JSON.stringify([guesser, digest])
}
