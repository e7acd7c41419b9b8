/**
 * An app that books by `key`, as docs/protocol.md has it, and what it knows of the stations' charges.
 */
import type { AppScript, PerformData } from './app.ts'
import { audit, type Audit, type Row, type StationLedger } from './ledger.ts'
import { Performs, type Perform } from './performs.ts'
import type { Payload } from './station.ts'

export const transactionActions = ['StartTransaction', 'MeterValues', 'StopTransaction', 'TransactionEvent']

/** What the app does before it books: it may raise, or not return for a while. */
type Fault = (perform: Perform) => unknown

export class Books {
  /** All that it was asked to perform. */
  readonly performs = new Performs()
  readonly #transactions = new Map<unknown, number>()
  readonly #rows: Row[] = []
  /** Every call, to performs and others, waits for it. */
  hang: Promise<unknown> = Promise.resolve()
  fault: Fault = () => undefined
  /** The reply to what it has booked waits for this. */
  replies: Promise<unknown> = Promise.resolve()

  /** What it has booked so far; each perform is a row. */
  get rows(): readonly Row[] {
    return this.#rows
  }

  get script(): AppScript {
    const script = this.performs.script((data, text, stationId) => this.#answer({ data, text, stationId }))
    return async call => {
      await this.hang
      return script(call)
    }
  }

  audit(ledgers: readonly StationLedger[]): Audit {
    return audit(ledgers, this.#rows)
  }

  async #answer(perform: Perform): Promise<Payload> {
    const { stationId, data } = perform
    if (!transactionActions.includes(data.command)) return {}
    await this.fault(perform)
    this.#rows.push({ stationId, ...this.#book(data) })
    await this.replies
    return ackOf(data, this.#transactions.get(data['key']))
  }

  #book(data: PerformData): Omit<Row, 'stationId'> {
    const { command: action, key, attempt } = data
    if (action === 'StartTransaction' && !this.#transactions.has(key))
      this.#transactions.set(key, this.#transactions.size + 1)
    const transactionId = this.#transactions.get(key)
    return { action, key, payload: data['payload'] as Payload, attempt, transactionId, isStored: 'storedAt' in data }
  }
}

function ackOf({ command, payload }: PerformData, transactionId: number | undefined): Payload {
  const accepted = { status: 'Accepted' } as const
  if (command === 'StartTransaction') return { idTagInfo: accepted, transactionId }
  return 'idToken' in (payload as Payload) ? { idTokenInfo: accepted } : {}
}
