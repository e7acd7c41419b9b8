/**
 * What the bridge may do with a transaction message that it keeps for the app: whether the station can be answered
 * before the app has seen the message, and with what.
 *
 * Pure: no I/O, no clock.
 * Spec: OCPP 1.6 §4.7, §4.10 (the CSMS cannot prevent a stop); OCPP 2.0.1 and 2.1 Part 2 E04, E06, E12 (offline and
 * ended transactions).
 */
import { emptyObject, isObject, membersOf, parseObject, type JsonText } from '../ocpp/json.ts'
import { tokenOf } from '../ocpp/requests.ts'
import type { Version } from '../ocpp/version.ts'
import { choiceFor, type SilentSettings } from './answers.ts'

/** Whether a message needs a decision of the app. An action without a row always does. */
const decisions: Readonly<Record<string, (payload: JsonText) => boolean>> = {
  StopTransaction: () => false,
  MeterValues: () => false,
  // What the event reports has happened, whatever the app says of its idToken.
  TransactionEvent: payload => {
    const { offline, eventType } = parseObject(payload)
    return offline !== true && eventType !== 'Ended' && tokenOf(payload) !== 'none'
  },
}

/** Whether only the app can answer a transaction message. */
export function needsDecision(action: string, payload: JsonText): boolean {
  return Object.hasOwn(decisions, action) ? (decisions[action]?.(payload) ?? true) : true
}

/** Whether a transaction message may be accepted for the app, if the operator allows it (`ocpp_outbox_decide`). */
export function isDecidable(action: string): boolean {
  return action === 'StartTransaction' || action === 'TransactionEvent'
}

/**
 * The answer to a transaction message that is stored: the operator's, or the one that accepts.
 *
 * @param transactionId minted for a transaction that begins; otherwise `null`
 */
export function confirmationFor(
  action: string,
  version: Version,
  payload: JsonText,
  settings: SilentSettings,
  transactionId: number | null,
): JsonText {
  const { row, chosen } = choiceFor(action, version, settings)
  if (typeof chosen !== 'string') return chosen.payload
  // No row of a transaction message reads the time or the interval.
  const asked = { payload, now: '', heartbeatIntervalSeconds: 0, transactionId }
  return row?.anycable(asked) ?? emptyObject
}

/** The transaction id in the app's answer, as JSON text; `null` if it has none. */
export function transactionIdOf(answer: JsonText): JsonText | null {
  const id = membersOf(answer).get('transactionId') ?? 'null'
  return id === 'null' ? null : id
}

/** The status of an idTag or idToken in the app's answer; `null` if it has none. */
export function tokenStatusOf(answer: JsonText): string | null {
  const { idTagInfo, idTokenInfo } = parseObject(answer)
  const info = idTagInfo ?? idTokenInfo
  return isObject(info) && typeof info['status'] === 'string' ? info['status'] : null
}
