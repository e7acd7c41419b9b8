/**
 * Station to app: what a station said, as the data that a channel action is performed with.
 *
 * Pure: no I/O, no clock. Payloads are joined in as the text they came in.
 * Source: AnyCable Pro's OCPP page ("Example Action Cable channel class", "Single-action variant").
 */
import { type Call, type MessageId, type Send } from '../ocpp/frame.ts'
import { jsonText, type JsonText } from '../ocpp/json.ts'
import type { Violation } from '../ocpp/violations.ts'

/** How a remote command ended, told to the app exactly once; once more if an answer comes after a `CallTimeout`. */
export type CommandOutcome = {
  readonly id: MessageId
  /** The action that was asked of the station. */
  readonly request: string
  /** The answer came after the command was given up. */
  readonly late: boolean
  /** The code of a command that the bridge itself gave up; `null` where the station has answered. */
  readonly failure: string | null
} & (
  | {
      readonly kind: 'ack'
      readonly payload: JsonText
      /** In which ways the payload breaks its official schema. */
      readonly violations: readonly Violation[]
    }
  | { readonly kind: 'error'; readonly code: string; readonly message: string; readonly payload: JsonText }
)

/** What the bridge adds to a station's CALL, each only where there is something to add. */
export type Extras = {
  /** From 2 on: the message may have been performed before, with an unknown outcome. */
  readonly attempt?: number
  /** The id that a new transaction gets if the app says nothing. */
  readonly transactionId?: number
  /** In which ways the payload breaks its official schema. */
  readonly violations?: readonly Violation[]
  /** How many parts a report came in. */
  readonly parts?: number
  /** The `seqNo`s that a report lacks. */
  readonly missing?: readonly number[]
  /** The rest of a report has not come in time. */
  readonly complete?: false
}

/** The channel action that an OCPP action performs, by the rule of Rails' `String#underscore`. */
export function channelAction(ocppAction: string): string {
  const known = channelActions.get(ocppAction)
  if (known !== undefined) return known
  const action = underscored(ocppAction)
  if (channelActions.size < maxChannelActions) channelActions.set(ocppAction, action)
  return action
}

/** Each name is cut once: the versions know some ninety, and the bound is for callers that ask for others. */
const channelActions = new Map<string, string>()
const maxChannelActions = 1_000

function underscored(ocppAction: string): string {
  return ocppAction.replace(/(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z\d])(?=[A-Z])/g, '_').toLowerCase()
}

/**
 * The data of a station's CALL or SEND.
 *
 * @param granular names the channel action; without it the data lands in `receive`
 */
export function performData(call: Call | Send, granular: boolean, extras: Extras = {}): string {
  const action = granular ? channelAction(call.action) : null
  return `${opening(action)}"id":${call.id},"command":"${call.action}","payload":${call.payload}${more(extras)}}`
}

/** The data of a station's answer to a remote command: `ack`, or `error` for one that failed on either side. */
export function outcomeData(outcome: CommandOutcome, granular: boolean): string {
  const request = `"request":${jsonText(outcome.request)}${outcome.late ? ',"late":true' : ''}`
  switch (outcome.kind) {
    case 'ack': {
      const extras = outcome.violations.length === 0 ? '' : more({ violations: outcome.violations })
      return `${opening(granular ? 'ack' : null)}"id":${outcome.id},"command":"Ack","payload":${outcome.payload},${request}${extras}}`
    }
    case 'error': {
      const reason = `"code":${jsonText(outcome.code)},"message":${jsonText(outcome.message)},"payload":${outcome.payload}`
      return `${opening(granular ? 'error' : null)}"id":${outcome.id},"command":"Error",${reason},${request}}`
    }
  }
}

/** The members that follow the others, a comma before each. */
function more(extras: Extras): string {
  return Object.entries(extras)
    .map(([name, value]) => `,"${name}":${jsonText(value)}`)
    .join('')
}

function opening(action: string | null): string {
  return action === null ? '{' : `{"action":"${action}",`
}
