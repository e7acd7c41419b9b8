/**
 * Work at a given rate, whether or not the work before it is done.
 */
import { setTimeout as sleep } from 'node:timers/promises'

export type Rate = { readonly perSecond: number; readonly warmUpMs: number; readonly ms: number }

/** In ms; a test has its own. */
type Clock = { readonly now: () => number; readonly sleep: (ms: number) => Promise<unknown> }

const machineClock: Clock = { now: () => performance.now(), sleep: ms => sleep(ms) }

/**
 * Has each place work at its share of the rate, spread evenly; one that is late goes on at once.
 *
 * @returns how long each piece of work took, in ms, from when it was due; without those of the warm-up
 */
export async function inOpenLoop<Place>(
  places: readonly Place[],
  { perSecond, warmUpMs, ms }: Rate,
  work: (place: Place) => Promise<void>,
  { now, sleep }: Clock = machineClock,
): Promise<number[]> {
  const gap = (places.length * 1_000) / perSecond
  const start = now()
  const times: number[] = []
  const loop = async (place: Place, at: number): Promise<void> => {
    for (let due = start + (at * gap) / places.length; due < start + warmUpMs + ms; due += gap) {
      const early = due - now()
      if (early > 0) await sleep(early)
      // Timer lateness does not count as server time.
      const from = early > 0 ? now() : due
      await work(place)
      if (due >= start + warmUpMs) times.push(now() - from)
    }
  }
  await Promise.all(places.map(loop))
  return times
}
