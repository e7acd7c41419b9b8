/**
 * Keys for HTTP Basic that commands give to a station, where the bridge itself holds the keys (`ocpp_auth_file`).
 *
 * Spec: OCPP 1.6 security white paper A01, OCPP 2.0.1 and 2.1 Part 2 A01.
 */
import { isUnreadableId, type Call, type CallError, type CallResult } from '../../ocpp/frame.ts'
import { parseObject } from '../../ocpp/json.ts'
import type { Station } from '../station.ts'

/**
 * Makes the keys in a command valid: the station may use one before its answer comes, and the answer may be lost.
 *
 * @returns why they are not on the disk, or `null` if they are; `null` at once for a command without one
 */
export function offerKeys({ world: { keys }, row, handshake }: Station, call: Call): Promise<string | null> | null {
  if (keys === null || !row.keys.commands.has(call.action)) return null
  const given = row.keys.given(parseObject(call.payload))
  return given.length === 0 ? null : keys.offer(handshake.stationId, given)
}

/** @param answer of the station; `null` if it does not get the command */
export function settleKeys(
  { world: { keys }, row, handshake }: Station,
  call: Call,
  answer: CallResult | CallError | null,
): void {
  if (keys === null || !row.keys.commands.has(call.action)) return
  // Such an error may be about another message.
  if (answer !== null && isUnreadableId(answer.id)) return
  const command = parseObject(call.payload)
  const settled =
    answer?.kind === 'callResult'
      ? row.keys.settled(command, parseObject(answer.payload))
      : row.keys.given(command).map(text => ({ text, isValid: 'never' }) as const)
  for (const key of settled) keys.onNewKey(handshake.stationId, key)
}
