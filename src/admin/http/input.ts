/**
 * Reads what a client sends, and holds it against the route table: the path, the query and the members of the body.
 *
 * Pure: no I/O, no Node.
 */
import { isObject, parseJson } from '../../ocpp/json.ts'
import { ProblemError } from '../problems.ts'
import { routes, type Route, type RouteName } from '../routes.ts'
import type { Field, JsonSchema } from '../shapes.ts'

export type Values = Readonly<Record<string, unknown>>
/** What a schema says of a value, as far as `shapes.ts` writes it. */
type Limits = {
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly format?: string
}
type Fields = Readonly<Record<string, Field>>

/** A path that the table has, with its parameters decoded. */
export type Matched = {
  readonly parameters: Readonly<Record<string, string>>
  /** The routes of the path, by method. */
  readonly methods: ReadonlyMap<string, RouteName>
}

const segmentsByPath = new Map<string, { segments: readonly string[]; methods: Map<string, RouteName> }>()
for (const [name, { method, path }] of Object.entries(routes)) {
  const known = segmentsByPath.get(path) ?? { segments: path.split('/'), methods: new Map<string, RouteName>() }
  known.methods.set(method, name as RouteName)
  segmentsByPath.set(path, known)
}

/**
 * Throws `ProblemError` for a path whose percent-encoding is broken, and for dot segments: clients and proxies resolve
 * them, encoded or not, so that the request would reach another route. No station has such an identity.
 *
 * @param path without the query
 * @returns `null` if there is no such path; one without parameters goes before one with
 */
export function matchPath(path: string): Matched | null {
  const given = path.split('/').map(decoded)
  if (given.includes('.') || given.includes('..'))
    throw new ProblemError('bad-request', 'A segment of the path is . or ..')
  let found: Matched | null = null
  for (const { segments, methods } of segmentsByPath.values()) {
    const parameters = parametersOf(segments, given)
    if (parameters === null) continue
    found = { parameters, methods }
    if (Object.keys(parameters).length === 0) break
  }
  return found
}

function parametersOf(segments: readonly string[], given: readonly string[]): Record<string, string> | null {
  if (segments.length !== given.length) return null
  const parameters: Record<string, string> = {}
  for (const [at, segment] of segments.entries()) {
    const value = given[at] ?? ''
    if (!segment.startsWith('{')) {
      if (segment !== value) return null
    } else if (value === '') return null
    else parameters[segment.slice(1, -1)] = value
  }
  return parameters
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new ProblemError('bad-request', 'The percent-encoding of the path is broken')
  }
}

/** Throws `ProblemError` for an unknown parameter, one given twice, or an invalid value. */
export function readQuery(query: string, { query: fields }: Pick<Route, 'query'>): Values {
  const values: Record<string, unknown> = {}
  for (const [name, text] of new URLSearchParams(query)) {
    const field = fields[name]
    if (field === undefined || !Object.hasOwn(fields, name)) throw unknownName('parameter', name, fields)
    if (name in values) throw new ProblemError('bad-request', `The parameter ${name} is given twice`)
    values[name] = valueOf(text, field.schema)
  }
  return checked('parameter', values, fields)
}

/**
 * Converts a parameter to the type of its schema. A text that does not fit stays as it is, and `faultOf` refuses it.
 */
function valueOf(text: string, { type }: JsonSchema): unknown {
  if (type === 'boolean') return text === 'true' || (text === 'false' ? false : text)
  return (type === 'number' || type === 'integer') && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}

/** Throws `ProblemError` for a body that is not an object, and for unknown, missing and invalid members. */
export function readBody(text: string, fields: Fields): Values {
  const body = parseJson(text)
  if (!isObject(body)) throw new ProblemError('bad-request', 'The body is not a JSON object')
  for (const name of Object.keys(body)) if (!Object.hasOwn(fields, name)) throw unknownName('member', name, fields)
  return checked('member', body, fields)
}

function unknownName(what: string, name: string, fields: Fields): ProblemError {
  const known = Object.keys(fields).join(', ')
  const hint = known === '' ? 'it takes none' : `it takes ${known}`
  return new ProblemError('bad-request', `This route has no ${what} ${JSON.stringify(name.slice(0, 64))}: ${hint}`)
}

/** The values with the defaults of those that are left out. */
function checked(what: string, given: Values, fields: Fields): Values {
  const values: Record<string, unknown> = {}
  for (const [name, { schema, required }] of Object.entries(fields)) {
    const value = given[name]
    if (value === undefined) {
      if (required) throw new ProblemError('bad-request', `The ${what} ${name} is missing`)
      values[name] = schema['default']
      continue
    }
    const fault = faultOf(value, schema)
    if (fault !== null) throw new ProblemError('bad-request', `The ${what} ${name} must be ${fault}`)
    values[name] = value
  }
  return values
}

/** @returns what the value must be; `null` if it is valid */
function faultOf(value: unknown, schema: JsonSchema): string | null {
  switch (schema['type']) {
    case 'string':
      return textFault(value, schema)
    case 'boolean':
      return typeof value === 'boolean' ? null : 'true or false'
    case 'integer':
    case 'number':
      return numberFault(value, schema)
    case 'array':
      return listFault(value, schema)
    default:
      return isObject(value) ? null : 'a JSON object'
  }
}

function textFault(value: unknown, schema: JsonSchema): string | null {
  const { minLength = 0, maxLength = Infinity, format } = schema as Limits
  const words = schema['enum'] as readonly string[] | undefined
  if (words !== undefined) return words.includes(value as string) ? null : `one of ${words.join(', ')}`
  const isTime = format !== undefined
  const fits = typeof value === 'string' && value.length >= minLength && value.length <= maxLength
  if (isTime) return fits && isTimeText(value) ? null : 'a time, such as 2026-01-31T12:00:00Z'
  const limit = maxLength === Infinity ? '' : ` of ${minLength} to ${maxLength} characters`
  return fits ? null : `a text${limit}`
}

function isTimeText(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(Date.parse(text))
}

function numberFault(value: unknown, schema: JsonSchema): string | null {
  const { minimum = -Infinity, maximum = Number.MAX_SAFE_INTEGER } = schema as Limits
  const isInteger = schema['type'] === 'integer'
  const fits = typeof value === 'number' && (!isInteger || Number.isSafeInteger(value))
  if (fits && value >= minimum && value <= maximum) return null
  return `a ${isInteger ? 'whole ' : ''}number from ${minimum} to ${maximum}`
}

function listFault(value: unknown, schema: JsonSchema): string | null {
  const { minItems = 0, maxItems = Infinity } = schema as Limits
  const items = schema['items'] as JsonSchema
  const isList = Array.isArray(value) && value.length >= minItems && value.length <= maxItems
  if (isList && value.every(item => faultOf(item, items) === null)) return null
  return `a list of ${minItems} to ${maxItems}, each ${faultOf(undefined, items) ?? ''}`
}
