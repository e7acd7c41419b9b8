/**
 * One delivery of a station at a time. A station may have two open connections: without credentials the older one ends
 * only when the app has accepted the newer one.
 */
import type { StationId } from '../../translate/handshake.ts'

type Lane = {
  /** Whose turn it is, or was last. */
  readonly owner: object
  /** Resolves when the turn is over; `null` if it is. */
  turn: Promise<void> | null
}

export class Lanes {
  readonly #lanes = new Map<StationId, Lane>()

  get size(): number {
    return this.#lanes.size
  }

  /**
   * Waits until no delivery of the station is under way, and runs one.
   *
   * @param run `isFirst`: another owner has had a turn since the owner's last one, or the owner has had none
   */
  async inTurn<Result>(
    stationId: StationId,
    owner: object,
    run: (isFirst: boolean) => Promise<Result>,
  ): Promise<Result> {
    let before = this.#lanes.get(stationId)
    while (before !== undefined && before.turn !== null) {
      await before.turn
      before = this.#lanes.get(stationId)
    }
    const result = run(before?.owner !== owner)
    const lane: Lane = { owner, turn: result.then(done, done) }
    this.#lanes.set(stationId, lane)
    try {
      return await result
    } finally {
      lane.turn = null
    }
  }

  /** Resolves when the turns under way are over. */
  async idle(): Promise<void> {
    await Promise.all(Array.from(this.#lanes.values(), ({ turn }) => turn ?? Promise.resolve()))
  }

  /** The station has nothing to deliver. A turn under way goes on. */
  delete(stationId: StationId): void {
    if (this.#lanes.get(stationId)?.turn === null) this.#lanes.delete(stationId)
  }
}

const done = (): void => undefined
