/**
 * Checks that the app booked what the station measured. Pure.
 */
import type { Transaction } from '../book.ts'

/** The session as the station saw it. */
export type Session = {
  readonly station: string
  readonly idTag: string
  readonly transactionId: number
  readonly meterStartWh: number
  readonly readingsWh: readonly number[]
  readonly meterStopWh: number
}

/** @returns one sentence for each difference between the book and the session */
export function problemsOf(book: readonly Transaction[], session: Session): string[] {
  const [booked] = book
  if (booked === undefined || book.length > 1)
    return [`The app's book has ${book.length} transactions, but the station had one.`]
  const { stop, remoteStop } = booked
  return [
    ...different('the transaction id', booked.id, session.transactionId),
    ...different('the station', booked.station, session.station),
    ...different('the card', booked.idTag, session.idTag),
    ...different('the meter at the start', booked.meterStartWh, session.meterStartWh),
    ...different('the meter values', booked.readings.map(({ wh }) => wh).join(', '), session.readingsWh.join(', ')),
    ...(stop === null
      ? ["The transaction is still open in the app's book."]
      : different('the meter at the stop', stop.meterWh, session.meterStopWh)),
    ...(remoteStop?.answer === 'Accepted'
      ? []
      : [`The answer to the app's remote stop is ${JSON.stringify(remoteStop?.answer ?? null)}, not "Accepted".`]),
  ]
}

function different(what: string, booked: string | number, sent: string | number): string[] {
  return booked === sent
    ? []
    : [`The app booked a different value for ${what}: ${booked}, but the station sent ${sent}.`]
}
