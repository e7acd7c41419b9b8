/**
 * The bridge's own answers to CALLs that the app has not answered. Silent, failed, refused and unauthorized are four
 * different cases, and confusing them loses transactions.
 *
 * Pure: time and ids come in as arguments.
 * Spec: OCPP 1.6 §3.7.1 and errata 2025-04 §3.3 (after a CALLERROR, the station keeps a transaction message and retries
 * it); OCPP 2.0.1 Part 2 E13; OCPP 1.6 §7.38 (Pending: "not yet ready to accept").
 */
import { bootAnswer, type Asked, type SilentAnswer } from '../ocpp/answers.ts'
import { callError, type Call, type CallError, type CallResult, type MessageId } from '../ocpp/frame.ts'
import type { JsonText } from '../ocpp/json.ts'
import { silentAnswerFor, versions, type Version } from '../ocpp/version.ts'
import { channelAction } from './commands.ts'

/**
 * - `silent`: the app ran the action and sent no Ack
 * - `failed`: the app raised an error, timed out, or is unreachable
 * - `refused`: the app aborted the action (FAILURE)
 * - `unauthorized`: the app rejected the station
 */
export type NoAnswer = 'silent' | 'failed' | 'refused' | 'unauthorized'

/** The answers for a silent app: the least harmful ones, those that accept, or none that decides anything. */
export type SilentMode = 'safe' | 'anycable' | 'off'

/** The answer of one action: that of a mode, or a fixed payload. */
export type SilentOverride =
  { readonly kind: 'mode'; readonly mode: SilentMode } | { readonly kind: 'payload'; readonly payload: JsonText }

export type SilentSettings = {
  readonly silentAck: SilentMode
  /** By OCPP action. */
  readonly silentAnswers: Readonly<Record<string, SilentOverride>>
}

type SilentPayload = Extract<SilentOverride, { kind: 'payload' }>

/** The answers that a version has for an action and a silent app (`null`: none), and which of them is configured. */
export type Choice = { readonly row: SilentAnswer | null; readonly chosen: SilentMode | SilentPayload }

export type OwnAnswer = {
  /** `putOff`: the caller answers the boot with `Pending` and the retry interval, which it schedules. */
  readonly answer: CallResult | CallError | { readonly kind: 'putOff' }
  /**
   * Whether the answer decides, for a silent app, what only the app should decide. A payload configured by the operator
   * is the operator's decision, so it does not count.
   */
  readonly isDecision: boolean
}

/** The boot retry interval for a rejected station, in seconds: the minimum, plus jitter up to `spread`. */
const retryAfter = { least: 30, spread: 30 }

export function choiceFor(action: string, version: Version, { silentAck, silentAnswers }: SilentSettings): Choice {
  const override = Object.hasOwn(silentAnswers, action) ? silentAnswers[action] : undefined
  const chosen = override?.kind === 'payload' ? override : (override?.mode ?? silentAck)
  return { row: silentAnswerFor(versions[version], action), chosen }
}

const noActions: ReadonlySet<string> = new Set()

/** The actions with which the app gets a transaction id, for the answer in case it stays silent. */
export function mintingActions(version: Version, settings: SilentSettings): ReadonlySet<string> {
  const minting = [...versions[version].transactionMessages.keys()].filter(action => {
    const { row, chosen } = choiceFor(action, version, settings)
    return row?.mintsTransactionId === true && chosen === 'anycable'
  })
  return minting.length === 0 ? noActions : new Set(minting)
}

/**
 * The bridge's own answer to a CALL. Only a silent app gets the configured answer; otherwise nothing is accepted.
 *
 * @param choice for the action of the CALL
 * @param asked for the same CALL
 * @param random in [0, 1): jitter for the next boot of a rejected station
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

/**
 * What to tell the app's developer of a message that the app performed without an Ack; `null` where it may leave the
 * answer to the bridge, or where the operator has set the answer. To the bridge, an action that the channel lacks and
 * one that books the message look alike.
 *
 * @param isDecision as `answerFor` returned it
 * @param isTransaction whether the loss of the message costs money
 * @param granular whether each action has its own method
 */
export function silenceNotice(
  action: string,
  { row, chosen }: Choice,
  isDecision: boolean,
  isTransaction: boolean,
  granular: boolean,
): string | null {
  if (isTransaction && typeof chosen === 'string') {
    const method = granular ? `define ${channelAction(action)} in the channel` : `handle ${action} in receive`
    const ack = row?.ack ?? 'with an empty payload'
    return `the app performed a transaction message without an Ack: ${method} and transmit an Ack, ${ack}`
  }
  return isDecision ? 'the app sent no Ack for an action that needs a decision: transmit one' : null
}

/** BootNotification and Heartbeat never get a CALLERROR for a failure of the app. */
function payloadFor(
  why: NoAnswer,
  { row, chosen }: Choice,
  asked: Asked,
): { readonly payload: JsonText | null; readonly isDecision: boolean } {
  if (row?.kind === 'local' && why !== 'unauthorized') return { payload: row.safe(asked), isDecision: false }
  if (why !== 'silent') return { payload: null, isDecision: false }
  if (row === null) return { payload: null, isDecision: true }
  if (typeof chosen !== 'string') return { payload: chosen.payload, isDecision: false }
  if (chosen === 'off' && row.kind !== 'empty') return { payload: null, isDecision: true }
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
