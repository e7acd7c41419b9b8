/**
 * Keys for HTTP Basic that commands give to a station, where the bridge itself holds the keys (`ocpp_auth_file`).
 *
 * Spec: OCPP 1.6 security white paper A01, OCPP 2.0.1 and 2.1 Part 2 A01.
 */
import type { Call, CallError, CallResult } from '../../ocpp/frame.ts'
import { parseObject } from '../../ocpp/json.ts'
import type { Station } from '../station.ts'

/**
 * Makes the keys in a command valid: the station may use one before its answer comes, and the answer may be lost.
 *
 * @returns whether they are on the disk; `null` for a command without one
 */
export function offerKeys({ world: { keys }, row, handshake }: Station, call: Call): Promise<boolean> | null {
  if (keys === null || call.action !== row.configurationCommand) return null
  const given = row.givenKeys(parseObject(call.payload))
  return given.length === 0 ? null : keys.offer(handshake.stationId, given)
}

/** @param answer of the station; `null` if it does not get the command */
export function settleKeys(
  { world: { keys }, row, handshake }: Station,
  call: Call,
  answer: CallResult | CallError | null,
): void {
  if (keys === null || call.action !== row.configurationCommand) return
  const command = parseObject(call.payload)
  const settled =
    answer?.kind === 'callResult'
      ? row.newKeys(command, parseObject(answer.payload))
      : row.givenKeys(command).map(text => ({ text, isValid: 'never' }) as const)
  for (const key of settled) keys.onNewKey(handshake.stationId, key)
}
