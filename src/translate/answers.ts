/**
 * What a station is told when the app has not answered its CALL: silent, failed, refused and unauthorized are four
 * different things, and mixing them up loses transactions.
 *
 * Pure: time comes in as an argument.
 * Spec: OCPP 1.6 §3.7.1 and errata 2025-04 §3.3 (a CALLERROR makes the station keep a transaction message and send it
 * again); OCPP 2.0.1 Part 2 E13; OCPP 1.6 §7.38 (Pending: "not yet ready to accept").
 */
import { bootAnswer, type Asked } from '../ocpp/answers.ts'
import { callError, type Call, type CallError, type CallResult } from '../ocpp/frame.ts'
import type { JsonText } from '../ocpp/json.ts'
import { silentAnswerFor, versions, type Version } from '../ocpp/version.ts'

/**
 * - `silent`: the app ran the action and said nothing
 * - `failed`: it raised, gave no reply in time, or is not there
 * - `refused`: it aborted the action (FAILURE)
 * - `unauthorized`: it does not know this station
 */
export type NoAnswer = 'silent' | 'failed' | 'refused' | 'unauthorized'

/** Which silent answers are given: those of the table, or none that decides something. */
export type SilentMode = 'safe' | 'off'

/** What a station that is told to come back is given to wait, in seconds: at least, and how far it is spread. */
const retryAfter = { least: 30, spread: 30 }

/** The bridge's own answer to a CALL. `random` is in [0, 1): it spreads the fleet's next boots. */
export function answerFor(
  why: NoAnswer,
  call: Call,
  version: Version,
  asked: Asked,
  mode: SilentMode,
  random: number,
): CallResult | CallError {
  const payload = payloadFor(why, call, version, asked, mode, Math.round(retryAfter.least + retryAfter.spread * random))
  if (payload !== null) return { kind: 'callResult', id: call.id, payload }
  switch (why) {
    case 'silent':
    case 'failed':
      return callError(call.id, 'InternalError', 'The CSMS could not process the message')
    case 'refused':
      return callError(call.id, 'GenericError', 'The CSMS refused the message')
    case 'unauthorized':
      return callError(call.id, 'SecurityError', 'The CSMS does not accept this Charging Station')
  }
}

/** BootNotification and Heartbeat never get a CALLERROR for a fault that is not the station's. */
function payloadFor(
  why: NoAnswer,
  { action, payload }: Call,
  version: Version,
  asked: Asked,
  mode: SilentMode,
  waitSeconds: number,
): JsonText | null {
  const row = silentAnswerFor(versions[version], action)
  if (row === null) return null
  const answer = row.answer({ ...asked, payload })
  if (row.kind === 'local' && why !== 'unauthorized') return answer
  if (why === 'silent' && (row.kind === 'empty' || mode === 'safe')) return answer
  if (action !== 'BootNotification') return null
  return bootAnswer(why === 'refused' || why === 'unauthorized' ? 'Rejected' : 'Pending', waitSeconds, asked)
}
