/**
 * What the log says about an error that the app raised, and of a station that it rejected.
 */
import type { RpcError } from '../../cable/rpc.ts'
import { visitOf, type Station } from '../station.ts'
import { hintFor, type Refused } from './hints.ts'

/**
 * Warns of an app that raised: one line for each action and message. Other errors are one line for all stations, which
 * the transport logs.
 *
 * @param action of OCPP, or `ack` or `error`
 */
export function warnOfError({ who, world }: Pick<Station, 'who' | 'world'>, action: string, error: RpcError): void {
  if (error.code !== 'application') return
  const hint = hintFor({ kind: 'error', message: error.message })
  const { key, text } = hint ?? { key: `raised ${action}`, text: 'the app raised an error' }
  world.once(key, { ...who, action, error }, text, error.message)
}

/**
 * Counts and logs a station that the app has rejected, with a hint where the cause is known.
 *
 * @param fields of the hint's line
 */
export function reportRejected(
  station: Pick<Station, 'who' | 'handshake' | 'world'>,
  refused: Refused,
  fields: object,
): void {
  const { world } = station
  world.meter.count('failed_auths_total')
  world.visitLog.info(visitOf(station), 'the app rejected the station')
  const hint = hintFor(refused)
  if (hint !== null) world.once(hint.key, fields, hint.text)
}
