/**
 * Station to app: turns a station's messages into the data of channel actions.
 *
 * Pure: no I/O, no clock. Payloads are inserted as their original text.
 * Source: AnyCable Pro's OCPP page ("Example Action Cable channel class", "Single-action variant").
 */
import type { Call, CallError, MessageId, Send } from '../ocpp/frame.ts'
import { jsonText, type JsonText } from '../ocpp/json.ts'
import type { Violation } from '../ocpp/violations.ts'

/**
 * The outcome of a remote command. The app gets exactly one, plus a late one if an answer follows a `CallTimeout` or a
 * `ConnectionClosed`.
 */
export type CommandOutcome = {
  readonly id: MessageId
  /** The action of the command. */
  readonly request: string
  /** Whether the answer arrived after the command had timed out, or after the end of its connection. */
  readonly late: boolean
  /** Of the connection that the command was sent on, if that was an earlier one. */
  readonly sid?: string
  /** Who gave the command, if it was not the app. */
  readonly origin?: 'admin'
  /** The error code of the bridge; `null` if the station answered. */
  readonly failure: string | null
} & (
  | {
      readonly kind: 'ack'
      readonly payload: JsonText
      /** The violations of the official schema in the payload. */
      readonly violations: readonly Violation[]
    }
  | {
      readonly kind: 'error'
      readonly code: string
      readonly message: string
      /** An object. */
      readonly payload: JsonText
      /** errorDetails that are not an object; absent where they are one. */
      readonly details?: JsonText
    }
)

/** What a station gives as the reason for an error. */
export function reasonOf({ code, description, details, otherDetails }: Omit<CallError, 'kind'>) {
  const reason = { code, message: description, payload: details }
  return otherDetails === undefined ? reason : { ...reason, details: otherDetails }
}

/** Members that the bridge adds to a station's message; absent ones are left out. */
export type Extras = {
  /** 2 or more: the app may already have performed the message, with an unknown outcome. */
  readonly attempt?: number
  /** The id of a new transaction if the app sends no Ack. */
  readonly transactionId?: number
  /** The violations of the official schema in the payload. */
  readonly violations?: readonly Violation[]
  /** The number of parts of a collected report. */
  readonly parts?: number
  /** The missing `seqNo`s of a report. */
  readonly missing?: readonly number[]
  /** The rest of a report did not arrive in time. */
  readonly complete?: false
}

/** What the data of each action of a station has in common. */
export type Form = {
  /** Whether the data names the channel action; without a name, it performs `receive`. */
  readonly granular: boolean
  /** The OCPP version as options write it: the channel is the same for all. */
  readonly version: string
}

/** The channel action that an OCPP action performs, by the rule of Rails' `String#underscore`. */
export function channelAction(ocppAction: string): string {
  const known = channelActions.get(ocppAction)
  if (known !== undefined) return known
  const action = underscored(ocppAction)
  if (channelActions.size < maxChannelActions) channelActions.set(ocppAction, action)
  return action
}

/** A cache of names. All versions together have about ninety actions; the limit covers callers with other names. */
const channelActions = new Map<string, string>()
const maxChannelActions = 1_000

function underscored(ocppAction: string): string {
  return ocppAction.replace(/(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z\d])(?=[A-Z])/g, '_').toLowerCase()
}

/**
 * The data of a station's CALL or SEND.
 *
 * @param key identifies a transaction message, whatever its message id; `null` for other messages
 */
export function performData(
  { id, action, payload }: Call | Send,
  { granular, version }: Form,
  key: string | null = null,
  extras: Extras = {},
): string {
  const message = `"id":${id},"command":"${action}","payload":${payload},"version":"${version}"`
  const identity = key === null ? '' : `,"key":"${key}"`
  return `${opening(granular ? channelAction(action) : null)}${message}${identity}${more(extras)}}`
}

/**
 * The data of a command's outcome: `ack`, or `error` if the command failed in the station or in the bridge.
 *
 * @param sid of the connection that the command was for: a station may have had another one since, at another bridge
 */
export function outcomeData(outcome: CommandOutcome, { granular, version }: Form, sid: string): string {
  const late = `${outcome.late ? ',"late":true' : ''}${outcome.origin === undefined ? '' : `,"origin":"${outcome.origin}"`}`
  const request = `"request":${jsonText(outcome.request)}${late},"version":"${version}","sid":${jsonText(sid)}`
  switch (outcome.kind) {
    case 'ack': {
      const extras = outcome.violations.length === 0 ? '' : more({ violations: outcome.violations })
      return `${opening(granular ? 'ack' : null)}"id":${outcome.id},"command":"Ack","payload":${outcome.payload},${request}${extras}}`
    }
    case 'error': {
      const details = outcome.details === undefined ? '' : `,"details":${outcome.details}`
      const reason = `"code":${jsonText(outcome.code)},"message":${jsonText(outcome.message)},"payload":${outcome.payload}${details}`
      return `${opening(granular ? 'error' : null)}"id":${outcome.id},"command":"Error",${reason},${request}}`
    }
  }
}

/** Serializes members to append to an object, each with a leading comma. */
function more(extras: Extras): string {
  let text = ''
  for (const name in extras) text += `,"${name}":${jsonText(extras[name as keyof Extras])}`
  return text
}

function opening(action: string | null): string {
  return action === null ? '{' : `{"action":"${action}",`
}
