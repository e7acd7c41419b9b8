/**
 * Whether the session really happened: what the station measured and what the app has booked are the same. Pure.
 */
import type { Transaction } from '../book.ts'

/** What the station has told of its session. */
export type Told = {
  readonly station: string
  readonly idTag: string
  readonly transactionId: number
  readonly meterStartWh: number
  readonly readingsWh: readonly number[]
  readonly meterStopWh: number
}

/** What is wrong with the book, a sentence each; nothing, if it is as it should be. */
export function problemsOf(book: readonly Transaction[], told: Told): string[] {
  const [booked] = book
  if (booked === undefined || book.length > 1)
    return [`The app's book has ${book.length} transactions, where the station had one.`]
  const { stop, remoteStop } = booked
  return [
    ...different('the transaction id', booked.id, told.transactionId),
    ...different('the station', booked.station, told.station),
    ...different('the card', booked.idTag, told.idTag),
    ...different('the meter at the start', booked.meterStartWh, told.meterStartWh),
    ...different('the meter values', booked.readings.map(({ wh }) => wh).join(', '), told.readingsWh.join(', ')),
    ...(stop === null
      ? ["The transaction is still open in the app's book."]
      : different('the meter at the stop', stop.meterWh, told.meterStopWh)),
    ...(remoteStop?.answer === 'Accepted'
      ? []
      : [`The app has no "Accepted" for its remote stop, but ${JSON.stringify(remoteStop?.answer ?? null)}.`]),
  ]
}

function different(what: string, booked: string | number, told: string | number): string[] {
  return booked === told
    ? []
    : [`The app has booked another value for ${what}: ${booked}, where the station said ${told}.`]
}
