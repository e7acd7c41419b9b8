/**
 * App to station: reads the app's transmissions and broadcasts.
 *
 * Pure: no I/O, no clock. Payloads are sliced out as their original text.
 * Source: Action Cable's protocol (`type` and `identifier`/`message`); AnyCable Pro's OCPP page ("Remote commands").
 */
import { isSameId, messageId, type CallError, type CallResult, type MessageId } from '../ocpp/frame.ts'
import { emptyObject, isObject, isParsable, membersOf, parseJson, type JsonText } from '../ocpp/json.ts'

/** A remote command; `id` is `null` if the app gave none. */
export type RemoteCommand = {
  readonly kind: 'command'
  readonly id: MessageId | null
  readonly action: string
  /** `null` if it is not an object. */
  readonly payload: JsonText | null
}

export type AppMessage =
  | { readonly kind: 'answer'; readonly frame: CallResult | CallError }
  | RemoteCommand
  /** A message of Action Cable itself: welcome, confirm_subscription, reject_subscription, disconnect, ... */
  | { readonly kind: 'cable'; readonly type: string; readonly reason: string }
  /** Not a message for a station. */
  | { readonly kind: 'foreign'; readonly problem: string }

/** Reads one transmission of an RPC reply. Never throws. */
export function readTransmission(text: string): AppMessage {
  if (!isParsable(text)) return foreign(tooMuch)
  const transmission = parseJson(text)
  if (!isObject(transmission)) return foreign('a transmission that is not a JSON object')
  const { type, reason } = transmission
  if (typeof type === 'string') return { kind: 'cable', type, reason: typeof reason === 'string' ? reason : '' }
  const message = membersOf(text).get('message')
  return message === undefined
    ? foreign('a transmission without a message')
    : readMessage(message, transmission['message'])
}

/**
 * Reads a broadcast, or the message of a transmission. Never throws.
 *
 * @param value of the text, if it is at hand
 */
export function readMessage(text: string, value?: unknown): AppMessage {
  if (value === undefined && !isParsable(text)) return foreign(tooMuch)
  const message = value ?? parseJson(text)
  if (!isObject(message)) return foreign('a message that is not a JSON object')
  const { command } = message
  if (typeof command !== 'string') return foreign('a message without a command')
  const members = membersOf(text)
  const id = members.get('id')
  const payload = payloadOf(members.get('payload'))
  if (command === 'Ack' || command === 'Error') return answerOf(command, message, id, payload)
  return { kind: 'command', id: commandId(message['id'], id), action: command, payload }
}

/**
 * Whether a broadcast is for a station, be it a command or an answer, and not for browsers: AnyCable's subject carries
 * both. Broadcasts without such a member are not parsed.
 */
export function isForStation(text: string): boolean {
  if (!text.includes('"command"') || !isParsable(text)) return false
  const message = parseJson(text)
  return isObject(message) && typeof message['command'] === 'string' && 'payload' in message
}

function answerOf(
  command: 'Ack' | 'Error',
  { id, code, message }: Readonly<Record<string, unknown>>,
  idText: JsonText | undefined,
  payload: JsonText | null,
): AppMessage {
  if (payload === null) return foreign(`an ${command} whose payload is not an object`)
  if (idText === undefined || (typeof id !== 'string' && typeof id !== 'number'))
    return foreign(`an ${command} without an id`)
  if (command === 'Ack') return { kind: 'answer', frame: { kind: 'callResult', id: idText as MessageId, payload } }
  const description = typeof message === 'string' ? message : ''
  const frame: CallError = {
    kind: 'callError',
    id: idText as MessageId,
    code: typeof code === 'string' ? code : 'GenericError',
    description,
    details: payload,
  }
  return { kind: 'answer', frame }
}

/** The id of a command is always sent as a string, even if the app wrote a number (OCPP-J 1.6 §4.2.1 table 3). */
function commandId(id: unknown, text: JsonText | undefined): MessageId | null {
  if (typeof id === 'number' && text !== undefined) return messageId(text)
  return typeof id === 'string' && id !== '' ? messageId(id) : null
}

function payloadOf(text: JsonText | undefined): JsonText | null {
  if (text === undefined || text === 'null') return emptyObject
  return text.startsWith('{') ? text : null
}

const tooMuch = 'a message with too many values, or nested too deeply'

function foreign(problem: string): AppMessage {
  return { kind: 'foreign', problem }
}

/** The transmissions of one RPC reply, read. */
export type ReplyMessages = {
  /** The answer to the CALL that was performed; `null` if there is none. */
  readonly answer: CallResult | CallError | null
  /** Everything else, in order. */
  readonly others: readonly AppMessage[]
}

/**
 * Reads the transmissions of an RPC reply. Never throws.
 *
 * @param id of the CALL that was performed; `null` where the reply can hold no answer
 */
export function readReply(transmissions: readonly string[], id: MessageId | null): ReplyMessages {
  let answer: CallResult | CallError | null = null
  const others: AppMessage[] = []
  for (const transmission of transmissions) {
    const message = readTransmission(transmission)
    if (answer === null && id !== null && message.kind === 'answer' && isSameId(message.frame.id, id))
      answer = message.frame
    else others.push(message)
  }
  return { answer, others }
}
