/**
 * Times of the monotonic clock as times of day.
 */
import type { World } from '../session/ports.ts'

export class Clock {
  readonly #world: Pick<World, 'now' | 'date'>

  constructor(world: Pick<World, 'now' | 'date'>) {
    this.#world = world
  }

  /** In ms of `World.now`. */
  now(): number {
    return this.#world.now()
  }

  /** @param at in ms of `World.now` */
  timeOf(at: number): string {
    return new Date(this.#world.date().getTime() - (this.now() - at)).toISOString()
  }

  /** A time of day, in ms of `World.now`. */
  at(time: string): number {
    return this.now() - (this.#world.date().getTime() - Date.parse(time))
  }
}
