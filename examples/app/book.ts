/**
 * The book of the example app: the known cards, and every transaction with its meter values.
 *
 * The book is in memory, so the example needs no database. With a database, `once` inserts into a table with a unique
 * index on the key, and returns the existing row if the index rejects the insert.
 */

export type Card = {
  readonly driver: string
  /** The energy at which the app stops a transaction. */
  readonly limitWh: number
}

export type Reading = { readonly timestamp: string; readonly wh: number }

export type Transaction = {
  readonly id: number
  readonly station: string
  readonly idTag: string
  /** `null` for an unknown card. */
  readonly driver: string | null
  readonly startedAt: string
  readonly meterStartWh: number
  readonly readings: Reading[]
  /** The RemoteStopTransaction that the app sent, and the station's answer. */
  remoteStop: { readonly id: string; answer: string | null } | null
  /** `null` while the transaction is running. */
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

  /** Assigns the transaction id, to which the station refers in its meter values and its stop. */
  open(start: Pick<Transaction, 'station' | 'idTag' | 'startedAt' | 'meterStartWh'>): Transaction {
    const id = this.#transactions.size + 1
    const driver = cards.get(start.idTag)?.driver ?? null
    const transaction: Transaction = { id, ...start, driver, readings: [], remoteStop: null, stop: null }
    this.#transactions.set(id, transaction)
    return transaction
  }

  /**
   * Books a message exactly once. A station that missed the answer retries its message, perhaps under a new id, and the
   * bridge performs it again if it cannot know whether the app has run it. The key stays the same.
   *
   * @returns what `book` returned the first time
   */
  once<Booking>(key: string, book: () => Booking): Booking {
    if (!this.#booked.has(key)) this.#booked.set(key, book())
    return this.#booked.get(key) as Booking
  }
}

/** The energy of a transaction, so far or in total. */
export function energyWh({ meterStartWh, readings, stop }: Transaction): number {
  return (stop?.meterWh ?? readings.at(-1)?.wh ?? meterStartWh) - meterStartWh
}
