/**
 * What a station is told when the app has not answered its CALL: silent, failed, refused and unauthorized are four
 * different things, and mixing them up loses transactions.
 *
 * Pure: time and ids come in as arguments.
 * Spec: OCPP 1.6 §3.7.1 and errata 2025-04 §3.3 (a CALLERROR makes the station keep a transaction message and send it
 * again); OCPP 2.0.1 Part 2 E13; OCPP 1.6 §7.38 (Pending: "not yet ready to accept").
 */
import { bootAnswer, type Asked, type SilentAnswer } from '../ocpp/answers.ts'
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

/** Which silent answers are given: the least harmful, those that accept, or none that decides something. */
export type SilentMode = 'safe' | 'anycable' | 'off'

/** What one action gets instead: the answer of that mode, or this very payload. */
export type SilentOverride =
  { readonly kind: 'mode'; readonly mode: SilentMode } | { readonly kind: 'payload'; readonly payload: JsonText }

export type SilentSettings = {
  readonly silentAck: SilentMode
  /** By OCPP action. */
  readonly silentAnswers: Readonly<Record<string, SilentOverride>>
}

/** What a station that is told to come back is given to wait, in seconds: at least, and how far it is spread. */
const retryAfter = { least: 30, spread: 30 }

/**
 * The bridge's own answer to a CALL. The settings count for a silent app only: a failed one never accepts.
 *
 * @param asked of the same CALL
 * @param random in [0, 1): it spreads the fleet's next boots
 */
export function answerFor(
  why: NoAnswer,
  { id, action }: Call,
  version: Version,
  asked: Asked,
  settings: SilentSettings,
  random: number,
): CallResult | CallError {
  const row = silentAnswerFor(versions[version], action)
  const payload = row === null ? null : payloadFor(why, action, row, asked, settings, random)
  if (payload !== null) return { kind: 'callResult', id, payload }
  switch (why) {
    case 'silent':
    case 'failed':
      return callError(id, 'InternalError', 'The CSMS could not process the message')
    case 'refused':
      return callError(id, 'GenericError', 'The CSMS refused the message')
    case 'unauthorized':
      return callError(id, 'SecurityError', 'The CSMS does not accept this Charging Station')
  }
}

/** Whether the app is to be given a transaction id with this action, for the answer if it stays silent. */
export function mintsTransactionId(version: Version, action: string, settings: SilentSettings): boolean {
  if (silentAnswerFor(versions[version], action)?.mintsTransactionId !== true) return false
  return chosenFor(action, settings) === 'anycable'
}

/**
 * Whether the bridge's own answer for a silent app decides what is the app's to decide. A payload that the operator
 * wrote is the operator's decision, and hence none.
 */
export function isDecision(
  answer: CallResult | CallError,
  action: string,
  version: Version,
  asked: Asked,
  settings: SilentSettings,
): boolean {
  if (answer.kind === 'callError') return true
  const row = silentAnswerFor(versions[version], action)
  const chosen = chosenFor(action, settings)
  if (row === null || typeof chosen !== 'string') return false
  return row.kind === 'decision' || (chosen === 'anycable' && answer.payload !== row.safe(asked))
}

/** BootNotification and Heartbeat never get a CALLERROR for a fault that is not the station's. */
function payloadFor(
  why: NoAnswer,
  action: string,
  row: SilentAnswer,
  asked: Asked,
  settings: SilentSettings,
  random: number,
): JsonText | null {
  if (row.kind === 'local' && why !== 'unauthorized') return row.safe(asked)
  const answer = why === 'silent' ? silentPayload(action, row, asked, settings) : null
  if (answer !== null || action !== 'BootNotification') return answer
  const waitSeconds = Math.round(retryAfter.least + retryAfter.spread * random)
  return bootAnswer(why === 'refused' || why === 'unauthorized' ? 'Rejected' : 'Pending', waitSeconds, asked)
}

function silentPayload(action: string, row: SilentAnswer, asked: Asked, settings: SilentSettings): JsonText | null {
  const chosen = chosenFor(action, settings)
  if (typeof chosen !== 'string') return chosen.payload
  if (chosen === 'off') return row.kind === 'empty' ? row.safe(asked) : null
  return row[chosen](asked)
}

/** What an action gets of a silent app: a mode's answer, or a payload of its own. */
function chosenFor(
  action: string,
  { silentAck, silentAnswers }: SilentSettings,
): SilentMode | Extract<SilentOverride, { kind: 'payload' }> {
  const override = Object.hasOwn(silentAnswers, action) ? silentAnswers[action] : undefined
  if (override?.kind === 'payload') return override
  return override?.mode ?? silentAck
}
