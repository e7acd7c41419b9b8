/**
 * What the app of a test is asked to perform, kept in the order of its coming, and who waits for more.
 */
import { EventEmitter, once } from 'node:events'
import { cableApp, type AckOf, type AppScript, type PerformData } from './app.ts'

/** The data of one perform, as it was read and as it came, and the station that it is about. */
export type Perform = { readonly stationId: string; readonly data: PerformData; readonly text: string }

export class Performs {
  readonly all: Perform[] = []
  readonly #unread: Perform[] = []
  readonly #came = new EventEmitter()

  /** As `cableApp`; what it is asked to perform is kept here. */
  script(ackOf: AckOf): AppScript {
    return cableApp((data, text, stationId) => {
      const perform = { stationId, data, text }
      this.all.push(perform)
      this.#unread.push(perform)
      this.#came.emit('perform')
      return ackOf(data, text, stationId)
    })
  }

  /** The first perform of a message's id that no test has taken yet, come already or still to come. */
  async next(id: unknown): Promise<Perform> {
    for (;;) {
      const at = this.#unread.findIndex(({ data }) => data.id === id)
      const [found] = at === -1 ? [] : this.#unread.splice(at, 1)
      if (found !== undefined) return found
      await once(this.#came, 'perform')
    }
  }

  /** What was performed for a station until now. */
  of(stationId: string): PerformData[] {
    return this.all.filter(perform => perform.stationId === stationId).map(({ data }) => data)
  }
}
