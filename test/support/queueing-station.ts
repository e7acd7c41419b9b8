/**
 * Stations with a queue of transaction messages, on independent OCPP clients: they behave as real 1.6 stations were seen to.
 * A CALLERROR drops the message for good; a closed connection keeps it for the next one; some count each send.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import ocppTs from 'ocpp-ts'
import { openStation, type Payload } from './station.ts'

/** One connection of a station. `call` rejects for a CALLERROR, and may never settle when the connection has ended. */
export type Link = {
  call(action: string, payload: Payload): Promise<Payload>
  readonly closed: Promise<unknown>
  close(): Promise<void>
}
/** Rejects where the upgrade is refused. */
export type Connect = (url: string, id: string) => Promise<Link>

/** `ocpp-rpc`: strict about schemas, waits 40 s for an answer. */
export const viaOcppRpc: Connect = (url, id) => openStation(url, id)

type TsClient = InstanceType<typeof ocppTs.OcppClient>

/** `ocpp-ts`: a retry has a new id; gives up on an answer after 10 s, which looks like a CALLERROR. */
export const viaOcppTs: Connect = async (url, id) => {
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
}

type Message = {
  readonly action: string
  readonly fact: string
  payload(): Payload
  /** The charge that gets its id by the answer; `null` for any message but a start. */
  readonly begins: Charge | null
  attempts: number
}
type Charge = { transactionId: number }

/** Between two connections, and between two messages that it makes. */
const pauseMs = 700
const makesEveryMs = 400

export class QueueingStation {
  readonly id: string
  /** What has happened at the station and costs money, each by a text that tells it from all others. */
  readonly made: string[] = []
  /** What the station itself will never send again, though nobody confirmed it. */
  readonly dropped: string[] = []
  /** With what its connections were refused or ended. */
  readonly ends: string[] = []
  readonly #connect: Connect
  readonly #maxAttempts: number
  readonly #queue: Message[] = []
  #isCharging = true
  #work: Promise<unknown>
  #times = 0

  /** @param maxAttempts after how many sends it discards a message (`TransactionMessageAttempts`) */
  constructor(id: string, urlOf: () => string, connect: Connect, maxAttempts = Infinity) {
    this.id = id
    this.#connect = connect
    this.#maxAttempts = maxAttempts
    this.#work = Promise.all([this.#charge(), this.#deliver(urlOf)])
  }

  /** Ends the charge under way, and settles when its queue is empty. */
  async finish(): Promise<void> {
    this.#isCharging = false
    await this.#work
  }

  /** One charge after another, whatever the connection does. */
  async #charge(): Promise<void> {
    while (this.#isCharging) {
      const charge: Charge = { transactionId: -1 }
      this.#make('StartTransaction', timestamp => ({ connectorId: 1, idTag: 'TAG', meterStart: 0, timestamp }), charge)
      await sleep(makesEveryMs)
      this.#make('MeterValues', timestamp => {
        const meterValue = [{ timestamp, sampledValue: [{ value: '1' }] }]
        return { connectorId: 1, transactionId: charge.transactionId, meterValue }
      })
      await sleep(makesEveryMs)
      this.#make('StopTransaction', timestamp => ({ transactionId: charge.transactionId, meterStop: 9, timestamp }))
      await sleep(makesEveryMs)
    }
  }

  #make(action: string, payloadAt: (timestamp: string) => Payload, begins: Charge | null = null): void {
    const timestamp = new Date(Date.UTC(2026, 0, 2) + 1000 * this.#times++).toISOString()
    const fact = factOf(this.id, action, timestamp)
    this.made.push(fact)
    this.#queue.push({ action, fact, payload: () => payloadAt(timestamp), begins, attempts: 0 })
  }

  async #deliver(urlOf: () => string): Promise<void> {
    while (this.#isCharging || this.#queue.length > 0) {
      try {
        const link = await this.#connect(urlOf(), this.id)
        const closed = link.closed.then(() => 'closed' as const)
        await this.#empty(link, closed)
        await link.close().catch(() => undefined)
      } catch (error) {
        this.ends.push(String(error))
      }
      await sleep(pauseMs)
    }
  }

  /** Sends what is queued, one message after another, until the connection ends. */
  async #empty(link: Link, closed: Promise<'closed'>): Promise<void> {
    while (this.#isCharging || this.#queue.length > 0) {
      const [message] = this.#queue
      if (message === undefined) {
        await sleep(makesEveryMs)
        continue
      }
      if (message.attempts++ >= this.#maxAttempts) {
        this.#drop()
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
      if (outcome === 'error') this.#drop()
      else this.#confirm(outcome.payload)
    }
  }

  #confirm({ transactionId }: Payload): void {
    const charge = this.#queue.shift()?.begins ?? null
    if (charge !== null) charge.transactionId = Number(transactionId)
  }

  #drop(): void {
    const message = this.#queue.shift()
    if (message !== undefined) this.dropped.push(message.fact)
  }
}

/** Each message of a station has a time of its own. */
export function factOf(stationId: string, action: string, timestamp: string): string {
  return `${stationId} ${action} ${timestamp}`
}
