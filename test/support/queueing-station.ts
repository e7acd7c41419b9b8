/**
 * Stations with a queue of transaction messages, on independent OCPP clients: they behave as real stations were seen
 * to. A CALLERROR drops the message for good; a closed connection keeps it for the next one; some count each send.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import ocppTs from 'ocpp-ts'
import { StationLedger, type LedgerVersion } from './ledger.ts'
import { openStation, type Payload } from './station.ts'

/** One connection of a station. `call` rejects for a CALLERROR, and may never settle when the connection has ended. */
type Link = {
  call(action: string, payload: Payload): Promise<Payload>
  readonly closed: Promise<unknown>
  close(): Promise<void>
}
export type Client = {
  readonly version: LedgerVersion
  /** Rejects where the upgrade is refused. */
  connect(url: string, id: string): Promise<Link>
}

const viaOcppRpc = (version: LedgerVersion): Client => ({
  version,
  connect: (url, id) => openStation(url, id, { version }),
})

/** `ocpp-rpc`: strict about schemas, waits 40 s for an answer. */
export const viaOcppRpc16 = viaOcppRpc('ocpp1.6')
export const viaOcppRpc201 = viaOcppRpc('ocpp2.0.1')

type TsClient = InstanceType<typeof ocppTs.OcppClient>

/** `ocpp-ts`: a retry has a new id; gives up on an answer after 10 s, which looks like a CALLERROR. */
export const viaOcppTs: Client = {
  version: 'ocpp1.6',
  connect: async (url, id) => {
    const client: TsClient = new ocppTs.OcppClient(id)
    const closed = once(client, 'close').catch(() => undefined)
    const connected = once(client, 'connect')
    client.connect(`${url}/`)
    await connected
    client.on('error', () => undefined)
    // Its types name each action.
    const caller = client as unknown as { callRequest(name: string, payload: Payload): Promise<Payload> }
    const call = (action: string, payload: Payload): Promise<Payload> => caller.callRequest(action, payload)
    return { call, closed, close: () => Promise.resolve() }
  },
}

type StationHabits = {
  /** After how many sends it discards a message (`TransactionMessageAttempts`). */
  readonly maxAttempts?: number
  /** Whether it makes messages only when a test says so, and not all the time. */
  readonly isManual?: boolean
  /** How many messages later than others it begins: of a few stations, some are always within a charge. */
  readonly phase?: number
}

/** Between two connections, and between two messages that it makes. */
const pauseMs = 700
const makesEveryMs = 400
const looksEveryMs = 20

export class QueueingStation {
  readonly id: string
  readonly ledger: StationLedger
  /** With what its connections were refused or ended. */
  readonly ends: string[] = []
  readonly #client: Client
  #isCharging = true
  #isOnline = false
  #isClosed = false
  readonly #charging: Promise<void>
  readonly #delivering: Promise<void>

  constructor(id: string, urlOf: () => string, client: Client, habits: StationHabits = {}) {
    this.id = id
    const { maxAttempts, isManual = false, phase = 0 } = habits
    this.ledger = new StationLedger(id, client.version, maxAttempts)
    this.#client = client
    this.#charging = isManual ? Promise.resolve() : this.#charge(phase)
    this.#delivering = this.#deliver(urlOf)
  }

  /** Makes its next message. */
  make(): void {
    this.ledger.make(!this.#isOnline)
  }

  /** Ends the charge under way, and resolves when its queue is empty; the station stays connected. */
  async settle(): Promise<void> {
    this.#isCharging = false
    await this.#charging
    while (this.ledger.queue.length > 0) await sleep(looksEveryMs)
  }

  /** Settles, and leaves. */
  async finish(): Promise<void> {
    await this.settle()
    await this.close()
  }

  /** Leaves, with what is in its queue. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#delivering
  }

  /** One charge after another, whatever the connection does. */
  async #charge(phase: number): Promise<void> {
    await sleep(phase * makesEveryMs)
    while (this.#isCharging && !this.#isClosed) {
      for (let step = 0; step < 3; step++) {
        this.make()
        await sleep(makesEveryMs)
      }
    }
  }

  async #deliver(urlOf: () => string): Promise<void> {
    while (!this.#isClosed) {
      try {
        const link = await this.#client.connect(urlOf(), this.id)
        this.#isOnline = true
        await this.#empty(link, link.closed.then(() => 'closed' as const)) // prettier-ignore
        await link.close().catch(() => undefined)
      } catch (error) {
        this.ends.push(String(error))
      }
      this.#isOnline = false
      await sleep(pauseMs)
    }
  }

  /** Sends what is queued, one message after another, until the connection ends. */
  async #empty(link: Link, closed: Promise<'closed'>): Promise<void> {
    while (!this.#isClosed) {
      const message = this.ledger.attempt()
      if (message === null) {
        if ((await Promise.race([closed, sleep(looksEveryMs)])) === 'closed') return
        continue
      }
      const answered = link.call(message.action, message.payload()).then(
        payload => ({ payload }),
        () => 'error' as const,
      )
      const outcome = await Promise.race([closed, answered])
      if (outcome === 'closed') return void this.ends.push('closed')
      // A client that ends its calls with the connection: the close is what has happened.
      if (outcome === 'error' && (await Promise.race([closed, sleep(20)])) === 'closed') return
      if (outcome === 'error') this.ledger.drop()
      else this.ledger.confirm(outcome.payload)
    }
  }
}
