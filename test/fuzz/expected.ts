/**
 * What a station may expect of the bridge for one WebSocket message, read off `docs/protocol.md` and not off the code:
 * whether it is answered, under which id, and what the app may be asked to perform for it.
 *
 * Where the spec leaves the bridge a choice, such as which of two ids to answer, either is taken.
 */
import { isUtf8 } from 'node:buffer'
import type { Version } from '../../src/ocpp/version.ts'
import { sendAction, stationActionsOf } from './payloads.ts'

export type Message = { readonly bytes: Buffer; readonly binary: boolean }

export type Expectation = {
  /** What the message was taken for. */
  readonly as: string
  /** Whether it is well-formed: the count of malformed ones in a row, which slow a station down, begins anew. */
  readonly isGood: boolean
  /** The ids as JSON text, one of which the answer has; none: there must be no answer. */
  readonly answeredTo: readonly string[]
  /** It may also have none: what cannot be read looks like the beginning of an answer or a SEND. */
  readonly mayBeSilent: boolean
  /** What is well-formed, be it performed or refused. */
  readonly call: { readonly id: string; readonly action: string; readonly payload: string } | null
  /** What the data of a perform begins with; `null` where nothing may be performed. */
  readonly performed: string | null
  /** The code with which the connection is closed at once. */
  readonly closes: number | null
}

/** At least; 2.1 has two more types than the others. */
const typesOf = { 'ocpp1.6': [2, 3, 4], 'ocpp2.0.1': [2, 3, 4], 'ocpp2.1': [2, 3, 4, 5, 6] } as const
const performable = {
  'ocpp1.6': new Set(stationActionsOf('ocpp1.6')),
  'ocpp2.0.1': new Set(stationActionsOf('ocpp2.0.1')),
  'ocpp2.1': new Set(stationActionsOf('ocpp2.1')),
}
const maxDepth = 32
const maxSignOfLife = 64
const maxIdLength = 255
const unreadable = '"-1"'

const nothing = {
  isGood: false,
  answeredTo: [],
  mayBeSilent: false,
  call: null,
  performed: null,
  closes: null,
} as const

export function expectationFor({ bytes, binary }: Message, version: Version, maxMessageSize: number): Expectation {
  if (bytes.length > maxMessageSize) return { ...nothing, as: 'too big', closes: 1009 }
  if (!binary && !isUtf8(bytes)) return { ...nothing, as: 'no UTF-8', closes: 1007 }
  const text = bytes.toString().replace(/^\ufeff/, '')
  const isShort = Buffer.byteLength(text) <= maxSignOfLife
  if (isShort && !/^\s*\[/.test(text)) return { ...nothing, as: 'a sign of life' }
  const elements = parsed(text)
  if (!Array.isArray(elements)) {
    return elements === undefined ? unparsed(text, version) : malformed('no JSON array', version, [unreadable])
  }
  const { texts, depth } = split(text)
  return expectationOf(elements, texts, depth, version)
}

function expectationOf(elements: unknown[], texts: string[], depth: number, version: Version): Expectation {
  const [type, id, third, fourth] = elements
  const [, idText = '', , payloadText = ''] = texts
  const hasId = (typeof id === 'string' && id.length <= maxIdLength) || (typeof id === 'number' && idText.length <= 255)
  const answerable = hasId ? [idText, unreadable] : [unreadable]
  if (typeof type !== 'number') return malformed('no type', version, answerable)
  if (!typesOf[version].some(known => known === type)) {
    const answeredTo = version === 'ocpp2.0.1' ? answerable : []
    return { ...nothing, as: `type ${type}`, answeredTo }
  }
  const isObject = (value: unknown): boolean => typeof value === 'object' && !Array.isArray(value) // null is one
  if (type === 3 || type === 4 || type === 5) {
    return { ...nothing, as: `type ${type}` }
  }
  const isWhole =
    hasId &&
    (id !== '' || type === 6) &&
    elements.length === 4 &&
    typeof third === 'string' &&
    isObject(fourth) &&
    depth <= maxDepth
  const kind = type === 2 ? 'CALL' : 'SEND'
  if (!isWhole || typeof third !== 'string') {
    if (type === 6) return { ...nothing, as: `a broken ${kind}` }
    const silent = version === 'ocpp1.6' && !hasId
    return { ...nothing, as: `a broken ${kind}`, answeredTo: silent ? [] : answerable }
  }
  const payload = fourth === null ? '{}' : payloadText
  const mayPass = type === 2 ? performable[version].has(third) : third === sendAction
  const head = `{"action":"${underscored(third)}","id":${idText},"command":"${third}","payload":${payload}`
  return {
    as: `a ${kind} of ${third}`.slice(0, 80),
    isGood: true,
    answeredTo: type === 2 ? [idText] : [],
    mayBeSilent: false,
    call: { id: idText, action: third, payload },
    performed: mayPass ? head : null,
    closes: null,
  }
}

/**
 * What is no JSON, or is not parsed: a CALL of too many elements, or that nests too deeply, is answered under its id.
 * Where a text is no JSON, what its brackets and commas are is a matter of taste.
 */
function unparsed(text: string, version: Version): Expectation {
  const [, type, id] = /^\s*\[\s*(-?\d[\d.eE+-]*)\s*,\s*("(?:[^"\\]|\\.){0,255}"|-?\d[\d.eE+-]*)?/.exec(text) ?? []
  const isKnown = typesOf[version].some(known => known === Number(type))
  if (isKnown && Number(type) !== 2) return { ...nothing, as: `a broken type ${type ?? ''}` }
  const { texts, depth } = split(text)
  const minusOne = version === 'ocpp1.6' ? [] : [unreadable]
  const ids = id === undefined ? minusOne : [id, ...minusOne]
  // What looks like an id may be none.
  if (depth <= maxDepth && texts.length <= 5)
    return { ...malformed('no JSON', 'ocpp2.1', ids), mayBeSilent: version === 'ocpp1.6' }
  return { ...malformed('out of bounds', 'ocpp2.1', ids), mayBeSilent: version !== 'ocpp2.0.1' }
}

/** 1.6 has no answer where no id can be told. */
function malformed(as: string, version: Version, ids: readonly string[]): Expectation {
  return { ...nothing, as, answeredTo: version === 'ocpp1.6' ? [] : ids }
}

/** As ActiveSupport has it (`inflector/methods.rb`). */
export function underscored(action: string): string {
  return action.replaceAll(/(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z\d])(?=[A-Z])/g, '_').toLowerCase()
}

/** What two ids are compared by. */
export function keyOf(idText: string): string {
  return idText.startsWith('"') ? String(JSON.parse(idText)) : idText
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The text of each element of a JSON array, and how deep it nests. */
export function split(text: string): { texts: string[]; depth: number } {
  const texts: string[] = []
  let [depth, deepest, from] = [0, 0, 0]
  for (const { 0: token, index } of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},]/gs)) {
    if (token === '[' || token === '{') {
      if (++depth === 1) from = index + 1
      deepest = Math.max(deepest, depth)
    } else if (token === ',' && depth === 1) {
      texts.push(text.slice(from, index).trim())
      from = index + 1
    } else if ((token === ']' || token === '}') && --depth === 0) {
      const last = text.slice(from, index).trim()
      if (last !== '') texts.push(last)
    }
  }
  return { texts, depth: deepest }
}
