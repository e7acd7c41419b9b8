/**
 * OCPP-J frames: the JSON arrays that a Charging Station and a CSMS send each other.
 *
 * Pure: no I/O, no clock. Imports nothing outside `ocpp/`.
 * Spec: OCPP-J 1.6 §4.2; OCPP 2.0.1 Part 4 §4.2; OCPP 2.1 Part 4 §4.1.3 and §4.2.
 */
import { errorCodeOf, type ErrorCode } from './errors.ts'
import { faults, type Fault } from './faults.ts'
import { boundedElementsOf, emptyObject, isObject, jsonText, parseJson, type JsonText } from './json.ts'
import { versions, type Version } from './version.ts'

/**
 * A message id as its original JSON text, quotes included, so that it is echoed unchanged. The specs require a string
 * of 1 to 36 characters, but stations send numbers and longer strings too. Compare ids by `idKey`.
 */
export type MessageId = JsonText & { readonly __id: 'MessageId' }

export type Call = {
  readonly kind: 'call'
  readonly id: MessageId
  readonly action: string
  readonly payload: JsonText
  /**
   * What the payload's text was parsed to; absent where it has to be parsed again. It takes ten times the text's
   * memory.
   */
  value?: unknown
}
/** 2.1: a CALL that is never answered. */
export type Send = Omit<Call, 'kind'> & { readonly kind: 'send' }
export type CallResult = { readonly kind: 'callResult'; readonly id: MessageId; readonly payload: JsonText }
export type CallError = {
  readonly kind: 'callError'
  readonly id: MessageId
  /** A code of `errors.ts`; from a station, any text. */
  readonly code: string
  readonly description: string
  readonly details: JsonText
  /** From a station: errorDetails that are not an object, as the specs require; `details` is `{}` then. */
  readonly otherDetails?: JsonText
}
/** 2.1: the answer to a CALLRESULT that could not be read. */
export type CallResultError = Omit<CallError, 'kind'> & { readonly kind: 'callResultError' }
/** The answer to a CALL. */
export type Answer = CallResult | CallError
export type Frame = Call | Send | CallResult | CallError | CallResultError

/** A message that is not a valid frame. */
export type Malformed = {
  readonly kind: 'malformed'
  readonly fault: Fault
  /** The answer to the station; `null` where the spec forbids one. */
  readonly answer: CallError | null
  /** Set for a malformed answer with a readable id, so that its CALL can fail at once instead of timing out. */
  readonly brokenAnswer: { readonly id: MessageId; readonly kind: 'callResult' | 'callError' } | null
}
/** A message to ignore: a sign of life, or one of a type that the version ignores. */
export type Ignored = { readonly kind: 'ignored'; readonly as: 'signOfLife' | 'unknownType' }

/** Deepest nesting of a message that is parsed; no legitimate message comes near it. */
const maxDepth = 32
/** Most elements of a message that is parsed. A CALLERROR has five; a message of six is parsed and then refused. */
const maxElements = 6
/**
 * Most values of a message that is parsed. 1 MiB of meter values, each of them with no more than a timestamp and a
 * number, has 75,000, and 1 MiB of a report 70,000. A million values would take 200 ms.
 */
const maxValues = 80_000
const maxIdLength = 255
/** In bytes, white space included. A longer text that is not an array has lost the beginning of a frame. */
const maxSignOfLife = 64
/** OCPP 2.0.1 Part 4 table 7; 1.6 sets no limit. */
const maxDescriptionLength = 255
/** The id that answers a message whose own id cannot be read (OCPP 2.0.1 Part 4 §4.2.3). */
const unreadableId = '"-1"' as MessageId

const typeNumbers = { call: 2, callResult: 3, callError: 4, callResultError: 5, send: 6 } as const
const kinds: Readonly<Record<number, Frame['kind']>> = Object.fromEntries(
  Object.entries(typeNumbers).map(([kind, number]) => [number, kind as Frame['kind']]),
)

/**
 * Reads one WebSocket message as a frame. Never throws.
 *
 * Answers and SENDs are never answered: a malformed CALLRESULT, CALLERROR, CALLRESULTERROR or SEND has no `answer`.
 *
 * @param text one whole message; a leading byte order mark is skipped
 */
export function parseFrame(text: string, version: Version): Frame | Malformed | Ignored {
  const message = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
  if (!message.trimStart().startsWith('[')) return notArray(message, version)
  const texts = boundedElementsOf(message, { parts: maxElements, depth: maxDepth, values: maxValues })
  if (texts === null) return unread('outOfBounds', message, version)
  const elements = parseJson(message)
  if (!Array.isArray(elements)) return unread('notJson', message, version)
  const id = readId(elements[1], texts[1])
  const type: unknown = elements[0]
  if (typeof type !== 'number') return malformed('noType', version, id ?? unreadableId)
  const kind = versions[version].messageTypes.some(known => known === type) ? kinds[type] : undefined
  if (kind === undefined) return unknownType(version, id)
  const frame = id === null ? 'noId' : frameOf(kind, id, elements, texts)
  return typeof frame === 'object' ? frame : broken(frame, kind, version, id)
}

/** The text to send. Codes are spelled as the version spells them; descriptions are cut to 255 characters. */
export function serializeFrame(frame: Frame, version: Version): string {
  switch (frame.kind) {
    case 'call':
    case 'send':
      return `[${typeNumbers[frame.kind]},${frame.id},${jsonText(frame.action)},${frame.payload}]`
    case 'callResult':
      return `[${typeNumbers.callResult},${frame.id},${frame.payload}]`
    case 'callError':
    case 'callResultError': {
      const description = jsonText(cut(frame.description))
      return `[${typeNumbers[frame.kind]},${frame.id},${jsonText(spelled(frame.code, version))},${description},${frame.details}]`
    }
  }
}

/** Encodes an id of the bridge or the app as a message id. */
export function messageId(id: string): MessageId {
  return jsonText(id) as MessageId
}

/**
 * The key for comparing ids. Equal ids may differ in text: an app may escape a character that the station did not,
 * quote a number, or write `1` for `1.0`. Numbers beyond the safe integers compare by text: several share one double.
 */
export function idKey(id: JsonText): string {
  if (id.startsWith('"') && !id.includes('\\')) return id.slice(1, -1)
  const value = id.startsWith('"') || /[.eE]/.test(id) ? parseJson(id) : undefined
  if (typeof value === 'string') return value
  return Number.isSafeInteger(value) ? String(value) : id
}

export function isSameId(one: JsonText, other: JsonText): boolean {
  return one === other || idKey(one) === idKey(other)
}

export function callError(id: MessageId, code: ErrorCode, description: string): CallError {
  return { kind: 'callError', id, code, description, details: emptyObject }
}

/** Whether an answer says that the station could not read the bridge's id (OCPP 2.0.1 Part 4 §4.2.3). */
export function isUnreadableId(id: MessageId): boolean {
  return idKey(id) === '-1'
}

function frameOf(kind: Frame['kind'], id: MessageId, elements: unknown[], texts: JsonText[]): Frame | Fault {
  if (elements[1] === '' && kind === 'call') return 'emptyId'
  switch (kind) {
    case 'call':
    case 'send': {
      const action = elements[2]
      if (elements.length !== 4 || typeof action !== 'string') return 'shape'
      const payload = readPayload(elements[3], texts[3])
      return payload === null ? 'payload' : { kind, id, action, payload, value: elements[3] ?? {} }
    }
    case 'callResult': {
      if (elements.length !== 3) return 'shape'
      const payload = readPayload(elements[2], texts[2])
      return payload === null ? 'payload' : { kind, id, payload }
    }
    case 'callError':
    case 'callResultError': {
      // Some stations omit the last two elements, which are not needed to understand the error.
      const [, , code, description, details] = elements
      if (typeof code !== 'string' || elements.length > 5) return 'shape'
      return {
        kind,
        id,
        code,
        description: typeof description === 'string' ? description : (textOf(description, texts[3]) ?? ''),
        ...readDetails(details, texts[4]),
      }
    }
  }
}

/** `null` is a legal spelling of "no payload" (OCPP-J 1.6 §4.2.1, OCPP 2.0.1 Part 4 §4.1.5). */
function readPayload(value: unknown, text: JsonText | undefined): JsonText | null {
  if (value === null) return emptyObject
  return isObject(value) && text !== undefined ? text : null
}

/** The text of an element that is there and not `null`. */
function textOf(value: unknown, text: JsonText | undefined): JsonText | null {
  return value === undefined || value === null || text === undefined ? null : text
}

/**
 * errorDetails must be an object (OCPP-J 1.6 §4.2.3, OCPP 2.0.1 Part 4 §4.2.3); some stations write their reason there.
 */
function readDetails(value: unknown, text: JsonText | undefined): Pick<CallError, 'details' | 'otherDetails'> {
  const details = readPayload(value, text)
  if (details !== null) return { details }
  const otherDetails = textOf(value, text)
  return otherDetails === null ? { details: emptyObject } : { details: emptyObject, otherDetails }
}

function readId(value: unknown, text: JsonText | undefined): MessageId | null {
  if (text === undefined || (typeof value !== 'string' && typeof value !== 'number')) return null
  const length = typeof value === 'string' ? value.length : text.length
  return length <= maxIdLength ? (text as MessageId) : null
}

function brokenAnswer(kind: Frame['kind'] | undefined, id: MessageId | null): Malformed['brokenAnswer'] {
  return id !== null && (kind === 'callResult' || kind === 'callError') ? { id, kind } : null
}

/**
 * Classifies a message that is not parsed (too many elements, or nested too deeply) or is not JSON (truncated, a value
 * left out). Its beginning shows whether it is an answer, which must not be answered, and the id of a CALL.
 */
function unread(fault: 'outOfBounds' | 'notJson', message: string, version: Version): Malformed | Ignored {
  const [, type, idText] =
    /^\s*\[\s*(-?\d[\d.eE+-]*)\s*,\s*("(?:[^"\\]|\\.){0,255}"|-?\d[\d.eE+-]{0,254}(?=\s*,))?/.exec(message) ?? []
  const id = idText !== undefined && parseJson(idText) !== undefined ? (idText as MessageId) : null
  const isKnown = versions[version].messageTypes.some(known => known === Number(type))
  const kind = isKnown ? kinds[Number(type)] : undefined
  if (kind !== undefined && (kind !== 'call' || id !== null))
    return broken(fault === 'notJson' ? 'brokenJson' : fault, kind, version, id)
  if (fault === 'notJson' || type === undefined)
    return malformed(fault === 'notJson' ? fault : 'noType', version, unreadableId)
  return kind === undefined ? unknownType(version, id) : malformed('noId', version, unreadableId)
}

/** Some stations send a short text of their own, or an empty one, to keep the connection open. */
function notArray(message: string, version: Version): Malformed | Ignored {
  const isShort = message.length <= maxSignOfLife && new TextEncoder().encode(message).length <= maxSignOfLife
  if (isShort) return { kind: 'ignored', as: 'signOfLife' }
  return malformed('notArray', version, unreadableId)
}

function unknownType(version: Version, id: MessageId | null): Malformed | Ignored {
  if (versions[version].faults.unknownType === null) return { kind: 'ignored', as: 'unknownType' }
  return malformed('unknownType', version, id ?? unreadableId)
}

function broken(fault: Fault, kind: Frame['kind'], version: Version, id: MessageId | null): Malformed {
  if (kind === 'call') return malformed(fault, version, id ?? unreadableId)
  return { kind: 'malformed', fault, answer: null, brokenAnswer: brokenAnswer(kind, id) }
}

function malformed(fault: Fault, version: Version, id: MessageId): Malformed {
  const code = versions[version].faults[fault]
  const answer = code === null ? null : callError(id, code, faults[fault])
  return { kind: 'malformed', fault, answer, brokenAnswer: null }
}

/** Drops half a surrogate pair at the end, which UTF-8 cannot encode. */
function cut(description: string): string {
  return description.slice(0, maxDescriptionLength).replace(/[\ud800-\udbff]$/, '')
}

function spelled(code: string, version: Version): string {
  const known = errorCodeOf(code)
  return known === null ? code : versions[version].spell(known)
}
