/**
 * What a station has charged, in its own ledger; what an app has booked; and how the two compare, to the watt-hour.
 */
import type { Payload } from './station.ts'

export type LedgerVersion = 'ocpp1.6' | 'ocpp2.0.1'

export type Charge = {
  readonly number: number
  /** 1.6: -1 until the app has answered the start. */
  transactionId: number | string
  readonly messages: Message[]
}

export type Message = {
  readonly action: string
  /** Tells it from every other message. */
  readonly fact: string
  readonly charge: Charge
  readonly timestamp: string
  /** What the meter shows. */
  readonly wh: number
  /** Built when it is sent: the transaction's id may be known by then. */
  payload(): Payload
  attempts: number
}

/** The register of charge 2 goes from 20,000 Wh to 20,700 Wh, and so on. */
const whOfNumber = 10_000
const stepsWh = [0, 300, 700] as const
const tag = 'TAG1'

/** Each message of a station has a time of its own. */
function factOf(stationId: string, action: string, timestamp: string): string {
  return `${stationId} ${action} ${timestamp}`
}

/** The charges of one station, and its queue of messages that nobody has confirmed. */
export class StationLedger {
  readonly stationId: string
  readonly version: LedgerVersion
  readonly charges: Charge[] = []
  readonly queue: Message[] = []
  /** What the station itself will never send again, though nobody confirmed it. */
  readonly dropped: string[] = []
  readonly #maxAttempts: number
  #times = 0

  /** @param maxAttempts after how many sends it discards a message (`TransactionMessageAttempts`) */
  constructor(stationId: string, version: LedgerVersion, maxAttempts = Infinity) {
    this.stationId = stationId
    this.version = version
    this.#maxAttempts = maxAttempts
  }

  get made(): string[] {
    return this.charges.flatMap(({ messages }) => messages.map(({ fact }) => fact))
  }

  /** The next message of a charge: its start, one reading, its end; then the next charge. */
  make(isOffline = false): Message {
    const last = this.charges.at(-1)
    const charge = last === undefined || last.messages.length === stepsWh.length ? this.#begin() : last
    const step = charge.messages.length
    const timestamp = new Date(Date.UTC(2026, 0, 2) + 1000 * this.#times++).toISOString()
    const wh = charge.number * whOfNumber + (stepsWh[step] ?? 0)
    const form = this.version === 'ocpp1.6' ? form16 : form201
    const action = form.actions[step] ?? ''
    const fact = factOf(this.stationId, action, timestamp)
    const payload = (): Payload => form.payload(step, { charge, timestamp, wh }, isOffline)
    const message = { action, fact, charge, timestamp, wh, payload, attempts: 0 }
    charge.messages.push(message)
    this.queue.push(message)
    return message
  }

  /** The message to send next; each call counts as an attempt. */
  attempt(): Message | null {
    for (let [head] = this.queue; head !== undefined; [head] = this.queue) {
      if (head.attempts++ < this.#maxAttempts) return head
      this.drop()
    }
    return null
  }

  confirm({ transactionId }: Payload): void {
    const message = this.queue.shift()
    if (message !== undefined && transactionId !== undefined) message.charge.transactionId = Number(transactionId)
  }

  drop(): void {
    const message = this.queue.shift()
    if (message !== undefined) this.dropped.push(message.fact)
  }

  #begin(): Charge {
    const number = this.charges.length + 1
    const transactionId = this.version === 'ocpp1.6' ? -1 : `${this.stationId} ${number}`
    const charge = { number, transactionId, messages: [] }
    this.charges.push(charge)
    return charge
  }
}

type Content = Pick<Message, 'charge' | 'timestamp' | 'wh'>
type Form = {
  readonly actions: readonly string[]
  payload(step: number, content: Content, isOffline: boolean): Payload
}

const form16: Form = {
  actions: ['StartTransaction', 'MeterValues', 'StopTransaction'],
  payload: (step, { charge: { transactionId }, timestamp, wh }) => {
    if (step === 0) return { connectorId: 1, idTag: tag, meterStart: wh, timestamp }
    if (step === 2) return { transactionId, meterStop: wh, timestamp }
    return { connectorId: 1, transactionId, meterValue: [{ timestamp, sampledValue: [{ value: String(wh) }] }] }
  },
}

const form201: Form = {
  actions: ['TransactionEvent', 'TransactionEvent', 'TransactionEvent'],
  payload: (step, { charge: { transactionId }, timestamp, wh }, isOffline) => ({
    eventType: ['Started', 'Updated', 'Ended'][step],
    triggerReason: ['Authorized', 'MeterValuePeriodic', 'StopAuthorized'][step],
    seqNo: step,
    timestamp,
    transactionInfo: { transactionId },
    meterValue: [{ timestamp, sampledValue: [{ value: wh }] }],
    ...(isOffline && { offline: true }),
    ...(step !== 1 && { idToken: { idToken: tag, type: 'Central' } }),
  }),
}

/** A perform of a transaction message, as an app sees it. */
export type Row = {
  readonly stationId: string
  readonly action: string
  readonly key: unknown
  readonly payload: Payload
  readonly attempt: unknown
  /** Whether it came from the outbox. */
  readonly isStored: boolean
  /** Of a StartTransaction: the id that the app gave. */
  readonly transactionId: unknown
}

/** What the app performed, against what the stations made. */
export type Audit = {
  /** The app has never had these. */
  readonly lost: readonly string[]
  /** One message under two keys: an app that books by key books it twice. */
  readonly doubled: readonly string[]
  /** Performed more than once without `attempt`, under one key. */
  readonly unmarked: readonly string[]
  /** Performed more than once, and each further time with `attempt`. */
  readonly marked: readonly string[]
  /** Came before an earlier message of the same transaction. */
  readonly disordered: readonly string[]
  /** The charges of which nothing is lost, as the stations have them, and as the app does. */
  readonly charged: readonly string[]
  readonly booked: readonly string[]
}

type Booked = { readonly keys: Set<unknown>; unmarked: number; times: number; readonly order: number }

/** @param all may be those of other stations, too */
export function audit(ledgers: readonly StationLedger[], all: readonly Row[]): Audit {
  const rows = all.filter(row => ledgers.some(({ stationId }) => stationId === row.stationId))
  const booked = new Map<string, Booked>()
  rows.forEach(({ stationId, action, key, payload, attempt }, order) => {
    const fact = factOf(stationId, action, timeOf(payload))
    const before = booked.get(fact) ?? { keys: new Set(), unmarked: 0, times: 0, order }
    before.keys.add(key)
    before.times++
    if (attempt === undefined) before.unmarked++
    booked.set(fact, before)
  })
  const made = ledgers.flatMap(ledger => ledger.made)
  const lost = new Set(made.filter(fact => !booked.has(fact)))
  const those = (is: (booked: Booked) => boolean): string[] =>
    made.filter(fact => {
      const found = booked.get(fact)
      return found !== undefined && is(found)
    })
  const charges = ledgers.flatMap(({ stationId, charges: its }) => its.map(charge => ({ stationId, ...charge })))
  const whole = charges.filter(({ messages }) => messages.every(({ fact }) => !lost.has(fact)))
  const wholeIds = new Set(whole.map(({ stationId, transactionId }) => nameOf(stationId, transactionId)))
  const touchedIds = new Set(charges.map(({ stationId, transactionId }) => nameOf(stationId, transactionId)))
  const isOurs = ([name]: readonly [string, unknown]): boolean => wholeIds.has(name) || !touchedIds.has(name)
  return {
    lost: [...lost],
    doubled: those(({ keys }) => keys.size > 1),
    unmarked: those(({ unmarked }) => unmarked > 1),
    marked: those(({ unmarked, times }) => times > 1 && unmarked <= 1),
    disordered: charges.flatMap(({ messages }) => disorderedIn(messages, booked)),
    charged: whole.map(({ stationId, transactionId, messages }) =>
      lineOf(
        nameOf(stationId, transactionId),
        messages.map(({ wh }) => wh),
      ),
    ),
    booked: [...tableOf(rows)].filter(isOurs).map(([name, registers]) => lineOf(name, registers)),
  }
}

/** The app's table: the registers of each transaction, each key once. */
function tableOf(rows: readonly Row[]): ReadonlyMap<string, readonly number[]> {
  const table = new Map<string, number[]>()
  const keys = new Set<unknown>()
  for (const { stationId, key, payload, transactionId } of rows) {
    if (keys.has(key)) continue
    keys.add(key)
    const { transactionInfo } = payload as { transactionInfo?: { transactionId: string } }
    const name = nameOf(stationId, transactionInfo?.transactionId ?? payload['transactionId'] ?? transactionId)
    table.set(name, [...(table.get(name) ?? []), whOf(payload)])
  }
  return table
}

type WithValues = {
  readonly timestamp?: string
  readonly meterValue?: readonly [{ readonly timestamp: string; readonly sampledValue: readonly [{ value: unknown }] }]
}

function timeOf(payload: WithValues): string {
  return payload.timestamp ?? payload.meterValue?.[0].timestamp ?? ''
}

function whOf(payload: Payload): number {
  const { meterValue } = payload as WithValues
  return Number(payload['meterStart'] ?? payload['meterStop'] ?? meterValue?.[0].sampledValue[0].value)
}

function nameOf(stationId: string, transactionId: unknown): string {
  return `${stationId}, transaction ${String(transactionId)}`
}

function lineOf(name: string, registers: readonly number[]): string {
  const whs = registers.toSorted((a, b) => a - b)
  return `${name}: ${(whs.at(-1) ?? 0) - (whs[0] ?? 0)} Wh, read at ${whs.join(', ')}`
}

/** The messages whose successor in the transaction reached the app before. */
function disorderedIn(messages: readonly Message[], booked: ReadonlyMap<string, Booked>): string[] {
  const ordered = messages.filter(({ fact }) => booked.has(fact))
  const orders = ordered.map(({ fact }) => booked.get(fact)?.order ?? 0)
  return ordered.filter((_, at) => orders.slice(0, at).some(order => order > (orders[at] ?? 0))).map(({ fact }) => fact)
}
