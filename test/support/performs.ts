/**
 * The performs that a test's app receives, in order.
 */
import { EventEmitter, once } from 'node:events'
import { cableApp, type AckOf, type AppScript, type PerformData } from './app.ts'

/** The data of one perform, parsed and as text, and its station. */
export type Perform = { readonly stationId: string; readonly data: PerformData; readonly text: string }

export class Performs {
  readonly all: Perform[] = []
  readonly #unread: Perform[] = []
  readonly #came = new EventEmitter()

  /** As `cableApp`; records the performs. */
  script(ackOf: AckOf): AppScript {
    return cableApp((data, text, stationId) => {
      const perform = { stationId, data, text }
      this.all.push(perform)
      this.#unread.push(perform)
      this.#came.emit('perform')
      return ackOf(data, text, stationId)
    })
  }

  /** The first unread perform with a message's id, whether it has already come or not. */
  async next(id: unknown): Promise<Perform> {
    for (;;) {
      const at = this.#unread.findIndex(({ data }) => data.id === id)
      const [found] = at === -1 ? [] : this.#unread.splice(at, 1)
      if (found !== undefined) return found
      await once(this.#came, 'perform')
    }
  }

  /** The performs of a station so far. */
  of(stationId: string): PerformData[] {
    return this.all.filter(perform => perform.stationId === stationId).map(({ data }) => data)
  }
}
