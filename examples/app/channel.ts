/**
 * The app's channel: one method per OCPP 1.6 action, as in a Rails channel class.
 *
 * A method returns the payload of its answer, or `undefined` to leave the answer to the bridge.
 */
import { cards, energyWh, type Book, type Transaction } from './book.ts'

/** The data that the bridge performs a method with. */
export type Data = {
  /** The id of the message; for `ack` and `error`, the id of the remote command. */
  readonly id: string
  /** Identifies a transaction message, whatever its id; other messages have none. */
  readonly key: string
  /** The OCPP action. */
  readonly command: string
  readonly payload: Payload
}
export type Payload = Readonly<Record<string, unknown>>

/** The sender of a message. */
export type From = { readonly station: string; readonly stream: string }

/** Sends a command to the stations that listen to a stream. Resolves when the bridge has accepted it. */
export type Broadcast = (stream: string, command: string, id: string, payload: Payload) => Promise<void>

type Method = (data: Data, from: From) => Payload | undefined

export function channelFor(book: Book, broadcast: Broadcast): Readonly<Record<string, Method>> {
  return {
    boot_notification: () => ({ status: 'Accepted', currentTime: new Date().toISOString(), interval: 300 }),

    status_notification: () => undefined,

    authorize: ({ payload }) => ({ idTagInfo: idTagInfo(payload) }),

    start_transaction: ({ key, payload }, { station }) => {
      const { id: transactionId } = book.once(key, () => openTransaction(book, station, payload))
      return { transactionId, idTagInfo: idTagInfo(payload) }
    },

    meter_values: ({ key, payload }, from) => {
      const transaction = book.transaction(Number(payload['transactionId']))
      if (transaction === undefined) return {}
      book.once(key, () => transaction.readings.push(...readingsOf(payload)))
      if (isOverLimit(transaction)) stopRemotely(transaction, from, broadcast)
      return {}
    },

    stop_transaction: ({ key, payload }) => {
      const transaction = book.transaction(Number(payload['transactionId']))
      if (transaction !== undefined) book.once(key, () => closeTransaction(transaction, payload))
      return {}
    },

    // The station's answers to the app's commands, with the id of the command.
    ack: ({ id, payload }) => noteAnswer(book, id, String(payload['status'])),
    error: ({ id, ...error }) => noteAnswer(book, id, JSON.stringify(error)),
  }
}

function idTagInfo({ idTag }: Payload): Payload {
  return { status: cards.has(String(idTag)) ? 'Accepted' : 'Invalid' }
}

/** Books an unknown card too: the station has already started, and stops when it receives `Invalid`. */
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

/** Sends the command once. It may reach the bridge before the answer to the current message, which the bridge handles. */
function stopRemotely(transaction: Transaction, { stream }: From, broadcast: Broadcast): void {
  if (transaction.remoteStop !== null || transaction.stop !== null) return
  const id = `stop-${transaction.id}`
  transaction.remoteStop = { id, answer: null }
  broadcast(stream, 'RemoteStopTransaction', id, { transactionId: transaction.id }).catch(() => {
    transaction.remoteStop = null // retried at the next meter value
  })
}

function noteAnswer(book: Book, id: string, answer: string): undefined {
  const asked = book.transactions.find(({ remoteStop }) => remoteStop?.id === id)
  if (asked?.remoteStop) asked.remoteStop.answer = answer
}

/** The energy readings of a MeterValues. In OCPP 1.6, `measurand` may be absent: the default is the energy register. */
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
