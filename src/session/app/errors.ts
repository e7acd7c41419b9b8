/**
 * What the log says about an error that the app raised.
 */
import type { RpcError } from '../../cable/rpc.ts'
import type { Station } from '../station.ts'
import { hintFor } from './hints.ts'

/**
 * Warns of an app that raised: one line for each action and message. Other errors are one line for all stations, which
 * the transport logs.
 *
 * @param action of OCPP, or `ack` or `error`
 */
export function warnOfError({ who, world }: Station, action: string, error: RpcError): void {
  if (error.code !== 'application') return
  const hint = hintFor({ kind: 'error', message: error.message })
  const { key, text } = hint ?? { key: `raised ${action}`, text: 'the app raised an error' }
  world.once(key, { ...who, action, error }, text, error.message)
}
