/**
 * What a station is told when the app has not answered its CALL: silent, failed, refused and unauthorized are four
 * different things, and mixing them up loses transactions.
 *
 * Pure: time and ids come in as arguments.
 * Spec: OCPP 1.6 §3.7.1 and errata 2025-04 §3.3 (a CALLERROR makes the station keep a transaction message and send it
 * again); OCPP 2.0.1 Part 2 E13; OCPP 1.6 §7.38 (Pending: "not yet ready to accept").
 */
import { bootAnswer, type Asked, type SilentAnswer } from '../ocpp/answers.ts'
import { callError, type Call, type CallError, type CallResult, type MessageId } from '../ocpp/frame.ts'
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

type SilentPayload = Extract<SilentOverride, { kind: 'payload' }>

/** What one action gets of a silent app: the answers that its version has (`null`: none), and which is set. */
export type Choice = { readonly row: SilentAnswer | null; readonly chosen: SilentMode | SilentPayload }

export type OwnAnswer = {
  /** `putOff`: a boot is answered with `Pending`, by who knows when its station may come back. */
  readonly answer: CallResult | CallError | { readonly kind: 'putOff' }
  /**
   * Whether it decides, for a silent app, what is the app's to decide. A payload that the operator wrote is the operator's
   * decision, and hence none.
   */
  readonly isDecision: boolean
}

/** What a station that is rejected is told to wait, in seconds: at least, and how far it is spread. */
const retryAfter = { least: 30, spread: 30 }

export function choiceFor(action: string, version: Version, { silentAck, silentAnswers }: SilentSettings): Choice {
  const override = Object.hasOwn(silentAnswers, action) ? silentAnswers[action] : undefined
  const chosen = override?.kind === 'payload' ? override : (override?.mode ?? silentAck)
  return { row: silentAnswerFor(versions[version], action), chosen }
}

const noActions: ReadonlySet<string> = new Set()

/** The actions with which the app gets a transaction id, for the answer in case it stays silent. */
export function mintingActions(version: Version, settings: SilentSettings): ReadonlySet<string> {
  const minting = [...versions[version].transactionMessages].filter(action => {
    const { row, chosen } = choiceFor(action, version, settings)
    return row?.mintsTransactionId === true && chosen === 'anycable'
  })
  return minting.length === 0 ? noActions : new Set(minting)
}

/**
 * The bridge's own answer to a CALL. What is chosen counts for a silent app only: a failed one never accepts.
 *
 * @param choice of its action
 * @param asked of the same CALL
 * @param random in [0, 1): it spreads the next boots of those who are rejected
 */
export function answerFor(
  why: NoAnswer,
  { id, action }: Call,
  choice: Choice,
  asked: Asked,
  random: number,
): OwnAnswer {
  const { payload, isDecision } = payloadFor(why, choice, asked)
  if (payload !== null) return { answer: { kind: 'callResult', id, payload }, isDecision }
  if (action !== 'BootNotification' || choice.row === null) return { answer: errorFor(why, id), isDecision }
  if (why === 'silent' || why === 'failed') return { answer: { kind: 'putOff' }, isDecision }
  const rejected = bootAnswer('Rejected', rejectedSeconds(random), asked)
  return { answer: { kind: 'callResult', id, payload: rejected }, isDecision }
}

/** BootNotification and Heartbeat never get a CALLERROR for a fault that is not the station's. */
function payloadFor(
  why: NoAnswer,
  { row, chosen }: Choice,
  asked: Asked,
): { readonly payload: JsonText | null; readonly isDecision: boolean } {
  if (row?.kind === 'local' && why !== 'unauthorized') return { payload: row.safe(asked), isDecision: false }
  if (why !== 'silent') return { payload: null, isDecision: false }
  if (row === null) return { payload: null, isDecision: true }
  if (typeof chosen !== 'string') return { payload: chosen.payload, isDecision: false }
  if (chosen === 'off' && row.kind === 'decision') return { payload: null, isDecision: true }
  const payload = chosen === 'anycable' ? row.anycable(asked) : row.safe(asked)
  const isUnsafe = (): boolean => chosen === 'anycable' && payload !== row.safe(asked)
  return { payload, isDecision: payload === null || row.kind === 'decision' || isUnsafe() }
}

function errorFor(why: NoAnswer, id: MessageId): CallError {
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

function rejectedSeconds(random: number): number {
  return Math.round(retryAfter.least + retryAfter.spread * random)
}
