/**
 * What the app does about each OCPP 1.6 action of a station: one method each, as in a Rails channel class.
 *
 * A method returns the payload of its answer. One that returns nothing leaves the answer to the bridge.
 */
import { cards, energyWh, type Book, type Transaction } from './book.ts'

/** What the bridge performs a method with. */
export type Data = {
  /** The message's id; for `ack` and `error`, that of the remote command. */
  readonly id: string
  /** OCPP's name of the action. */
  readonly command: string
  readonly payload: Payload
}
export type Payload = Readonly<Record<string, unknown>>

/** The station that a message is from. */
export type From = { readonly station: string; readonly stream: string }

/** Asks something of the stations that listen on a stream. Settles once the bridge has taken it. */
export type Broadcast = (stream: string, command: string, id: string, payload: Payload) => Promise<void>

type Method = (data: Data, from: From) => Payload | undefined

export function channelFor(book: Book, broadcast: Broadcast): Readonly<Record<string, Method>> {
  return {
    boot_notification: () => ({ status: 'Accepted', currentTime: new Date().toISOString(), interval: 300 }),

    status_notification: () => undefined,

    authorize: ({ payload }) => ({ idTagInfo: idTagInfo(payload) }),

    start_transaction: ({ id, payload }, { station }) => {
      const { id: transactionId } = book.once(station, id, payload, () => openTransaction(book, station, payload))
      return { transactionId, idTagInfo: idTagInfo(payload) }
    },

    meter_values: ({ id, payload }, from) => {
      const transaction = book.transaction(Number(payload['transactionId']))
      if (transaction === undefined) return {}
      book.once(from.station, id, payload, () => transaction.readings.push(...readingsOf(payload)))
      if (isOverLimit(transaction)) stopRemotely(transaction, from, broadcast)
      return {}
    },

    stop_transaction: ({ id, payload }, { station }) => {
      const transaction = book.transaction(Number(payload['transactionId']))
      if (transaction !== undefined) book.once(station, id, payload, () => closeTransaction(transaction, payload))
      return {}
    },

    // The station's answers to the app's own commands, with the command's id.
    ack: ({ id, payload }) => noteAnswer(book, id, String(payload['status'])),
    error: ({ id, ...error }) => noteAnswer(book, id, JSON.stringify(error)),
  }
}

function idTagInfo({ idTag }: Payload): Payload {
  return { status: cards.has(String(idTag)) ? 'Accepted' : 'Invalid' }
}

/** Also for a card that is not known: the station has started already, and ends it when it hears `Invalid`. */
function openTransaction(book: Book, station: string, { idTag, timestamp, meterStart }: Payload): Transaction {
  return book.open({
    station,
    idTag: String(idTag),
    startedAt: String(timestamp),
    meterStartWh: Number(meterStart),
  })
}

function closeTransaction(transaction: Transaction, { timestamp, meterStop, reason }: Payload): void {
  transaction.stop = {
    at: String(timestamp),
    meterWh: Number(meterStop),
    reason: typeof reason === 'string' ? reason : 'Local',
  }
}

function isOverLimit(transaction: Transaction): boolean {
  const card = cards.get(transaction.idTag)
  return card !== undefined && energyWh(transaction) >= card.limitWh
}

/** Asks once. The bridge gets the command while the station still waits for this message's answer; it knows to cope. */
function stopRemotely(transaction: Transaction, { stream }: From, broadcast: Broadcast): void {
  if (transaction.remoteStop !== null || transaction.stop !== null) return
  const id = `stop-${transaction.id}`
  transaction.remoteStop = { id, answer: null }
  broadcast(stream, 'RemoteStopTransaction', id, { transactionId: transaction.id }).catch(() => {
    transaction.remoteStop = null // asked again at the next meter value
  })
}

function noteAnswer(book: Book, id: string, answer: string): undefined {
  const asked = book.transactions.find(({ remoteStop }) => remoteStop?.id === id)
  if (asked?.remoteStop) asked.remoteStop.answer = answer
}

/** The energy register in each of a MeterValues' readings; OCPP 1.6 leaves out what is the default. */
function readingsOf({ meterValue }: Payload): { timestamp: string; wh: number }[] {
  return (meterValue as MeterValue[]).flatMap(({ timestamp, sampledValue }) =>
    sampledValue
      .filter(({ measurand }) => (measurand ?? energyRegister) === energyRegister)
      .map(({ value, unit }) => ({ timestamp, wh: Number(value) * (unit === 'kWh' ? 1000 : 1) })),
  )
}

const energyRegister = 'Energy.Active.Import.Register'

type MeterValue = {
  readonly timestamp: string
  readonly sampledValue: readonly { readonly value: string; readonly measurand?: string; readonly unit?: string }[]
}
