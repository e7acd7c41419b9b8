/**
 * What the official JSON schemas say, as far as they use it: the same two dozen keywords in all versions.
 *
 * Pure: no DOM.
 */

export type Schema = {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: unknown
  readonly items?: Schema
  readonly minItems?: number
  readonly maxItems?: number
  readonly enum?: readonly unknown[]
  readonly maxLength?: number
  readonly minLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly format?: string
  readonly multipleOf?: number
  readonly default?: unknown
}

/** The schemas of an action. */
export type ActionSchemas = { readonly request: Schema | null; readonly response: Schema | null }

export type Violation = { readonly path: string; readonly rule: string }

/** What a keyword of a schema says of the value that breaks it. */
const ruleTexts: Readonly<Record<string, string>> = {
  required: 'it is missing',
  additionalProperties: 'there is no such member',
  type: 'it is not of the right type',
  enum: 'it is not one of the values that the schema allows',
  maxLength: 'it is too long',
  minLength: 'it is too short',
  format: 'it is not in the right format',
  minimum: 'it is too small',
  maximum: 'it is too large',
  minItems: 'it has too few items',
  maxItems: 'it has too many items',
  multipleOf: 'it has too many digits after the point',
}

/** A violation in words, such as `/status: it is missing`. */
export function violationText({ path, rule }: Violation): string {
  return `${path === '' ? '/' : path}: ${ruleText(rule)}`
}

export function ruleText(rule: string): string {
  return ruleTexts[rule] ?? `it breaks ${rule}`
}

/** The bridge masks secrets in frames. A masked value says nothing of the one that was sent. */
const masked = '***'

/** Places at which a value breaks its schema, ten at most, by JSON pointers. */
export function violationsOf(value: unknown, schema: Schema): readonly Violation[] {
  return [...found(value, schema, '')].slice(0, 10)
}

function* found(value: unknown, schema: Schema, path: string): Generator<Violation> {
  if (value === masked) return
  const rule = ruleBrokenBy(value, schema)
  if (rule !== null) {
    yield { path, rule }
    return
  }
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) if (schema.items) yield* found(item, schema.items, `${path}/${at}`)
  } else if (isRecord(value)) yield* foundInMembers(value, schema, path)
}

function* foundInMembers(value: Readonly<Record<string, unknown>>, schema: Schema, path: string): Generator<Violation> {
  const properties = schema.properties ?? {}
  for (const name of schema.required ?? [])
    if (!Object.hasOwn(value, name)) yield { path: `${path}/${name}`, rule: 'required' }
  for (const [name, member] of Object.entries(value)) {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined
    if (property !== undefined) yield* found(member, property, `${path}/${name}`)
    else if (schema.additionalProperties === false) yield { path: `${path}/${name}`, rule: 'additionalProperties' }
  }
}

/** The first keyword that the value itself breaks, its members aside. */
function ruleBrokenBy(value: unknown, schema: Schema): string | null {
  if (schema.type !== undefined && !isOfType(value, schema.type)) return 'type'
  if (schema.enum !== undefined && !schema.enum.includes(value)) return 'enum'
  if (typeof value === 'string') return textRule(value, schema)
  if (typeof value === 'number') return numberRule(value, schema)
  if (!Array.isArray(value)) return null
  if (value.length < (schema.minItems ?? 0)) return 'minItems'
  return value.length > (schema.maxItems ?? Infinity) ? 'maxItems' : null
}

function isOfType(value: unknown, type: NonNullable<Schema['type']>): boolean {
  switch (type) {
    case 'array':
      return Array.isArray(value)
    case 'object':
      return isRecord(value)
    case 'integer':
      return Number.isInteger(value)
    case 'number':
    case 'string':
    case 'boolean':
      return typeof value === type
  }
}

function textRule(value: string, { maxLength = Infinity, minLength = 0, format }: Schema): string | null {
  const length = Array.from(value).length
  if (length > maxLength) return 'maxLength'
  if (length < minLength) return 'minLength'
  if (format === 'date-time' && !isTime(value)) return 'format'
  return format === 'uri' && !URL.canParse(value) ? 'format' : null
}

/** As the bridge reads times: the zone may be missing, which many stations omit. */
function isTime(text: string): boolean {
  return (
    /^\d{4}-\d\d-\d\d[T\s]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)?$/i.test(text) &&
    !Number.isNaN(Date.parse(text.slice(0, 10)))
  )
}

function numberRule(value: number, { minimum = -Infinity, maximum = Infinity, multipleOf }: Schema): string | null {
  if (value < minimum) return 'minimum'
  if (value > maximum) return 'maximum'
  if (multipleOf === undefined) return null
  const times = value / multipleOf
  return Math.abs(times - Math.round(times)) > 1e-6 ? 'multipleOf' : null
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
