/**
 * How many connections the stations' ports have together, upgraded or not: the process needs descriptors for other things too.
 */
import type { EventEmitter } from 'node:events'

export class ConnectionCount {
  readonly #most: number
  #open = 0
  readonly #release = (): void => {
    this.#open--
  }

  constructor(most: number) {
    this.#most = most
  }

  /** Counts a connection until it is closed. @returns whether there is room for it; one without room is not counted */
  admit(connection: EventEmitter): boolean {
    if (this.#open >= this.#most) return false
    this.#open++
    // Not `once`, and no listener of its own: they take 250 bytes of a connection.
    connection.on('close', this.#release)
    return true
  }
}
