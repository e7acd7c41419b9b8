/**
 * The book of the example app: the cards it knows, and every transaction with its meter values.
 *
 * It lives in memory, to keep the example free of a database. With one, `once` is an insert into a table with a unique
 * index on station, message id and payload, and the row that was there already where the index refuses it.
 */

export type Card = {
  readonly driver: string
  /** How much one transaction may take before the app ends it. */
  readonly limitWh: number
}

export type Reading = { readonly timestamp: string; readonly wh: number }

export type Transaction = {
  readonly id: number
  readonly station: string
  readonly idTag: string
  /** `null`: the card is not known. */
  readonly driver: string | null
  readonly startedAt: string
  readonly meterStartWh: number
  readonly readings: Reading[]
  /** The RemoteStopTransaction that the app sent, and what the station said to it. */
  remoteStop: { readonly id: string; answer: string | null } | null
  /** `null` as long as it runs. */
  stop: { readonly at: string; readonly meterWh: number; readonly reason: string } | null
}

export const cards: ReadonlyMap<string, Card> = new Map([
  ['CARD-ALEX', { driver: 'Alex', limitWh: 11_000 }],
  ['CARD-SAM', { driver: 'Sam', limitWh: 30_000 }],
])

export class Book {
  readonly #transactions = new Map<number, Transaction>()
  readonly #booked = new Map<string, unknown>()

  get transactions(): readonly Transaction[] {
    return [...this.#transactions.values()]
  }

  transaction(id: number): Transaction | undefined {
    return this.#transactions.get(id)
  }

  /** The app owns the transaction ids: the station quotes in its meter values and in its stop what it is told here. */
  open(start: Pick<Transaction, 'station' | 'idTag' | 'startedAt' | 'meterStartWh'>): Transaction {
    const id = this.#transactions.size + 1
    const driver = cards.get(start.idTag)?.driver ?? null
    const transaction: Transaction = { id, ...start, driver, readings: [], remoteStop: null, stop: null }
    this.#transactions.set(id, transaction)
    return transaction
  }

  /**
   * Books a message once, however often it comes: a station that missed the answer sends its message again, and the
   * bridge performs it again (`attempt` in the data) where it cannot know whether the app has had it. The payload is
   * part of the key, as some stations count their message ids from 1 after each start.
   *
   * @returns what `book` returned the first time
   */
  once<Booking>(station: string, id: string, payload: object, book: () => Booking): Booking {
    const key = JSON.stringify([station, id, payload])
    if (!this.#booked.has(key)) this.#booked.set(key, book())
    return this.#booked.get(key) as Booking
  }
}

/** What a transaction has taken: to its end, or so far. */
export function energyWh({ meterStartWh, readings, stop }: Transaction): number {
  return (stop?.meterWh ?? readings.at(-1)?.wh ?? meterStartWh) - meterStartWh
}
