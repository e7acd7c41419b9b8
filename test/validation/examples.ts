/**
 * Payloads generated from an official schema: one with every field, one with only the required fields, and every way to
 * break the first in one place.
 */
import type { Violation } from '../../src/ocpp/violations.ts'

export type Schema = {
  readonly $id: string
  readonly $ref?: string
  readonly type?: string
  readonly definitions?: Readonly<Record<string, Schema>>
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean
  readonly items?: Schema
  readonly minItems?: number
  readonly maxItems?: number
  readonly enum?: readonly string[]
  readonly maxLength?: number
  readonly format?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly multipleOf?: number
}

export type Broken = { readonly payload: unknown; readonly violation: Violation }

export function exampleOf(root: Schema, isWhole: boolean, schema: Schema = root): unknown {
  const { $ref, type, properties = {}, required = [], items } = schema
  if ($ref !== undefined) return exampleOf(root, isWhole, referred(root, $ref))
  if (schema.enum !== undefined) return schema.enum[0]
  switch (type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(properties)
          .filter(([name]) => isWhole || required.includes(name))
          .map(([name, of]) => [name, exampleOf(root, isWhole, of)]),
      )
    case 'array':
      return Array.from({ length: schema.minItems ?? 1 }, () => items && exampleOf(root, isWhole, items))
    case 'string':
      return texts[schema.format ?? ''] ?? 'é'.repeat(schema.maxLength ?? 1)
    case 'integer':
    case 'number':
      return schema.minimum ?? schema.maximum ?? 1
    case 'boolean':
      return true
    case undefined:
    default:
      // `customData` and DataTransfer's `data` may be anything.
      return 'anything'
  }
}

const texts: Readonly<Record<string, string>> = {
  'date-time': '2026-11-20T20:00:00.000Z',
  uri: 'ftp://user:secret@[::1]:21/a%20b?c#d',
}

/** Every way to violate one rule of the schema in one place; a definition is violated at its first use only. */
export function* brokenBy(root: Schema, schema = root, path = '', seen = new Set<string>()): Generator<Broken> {
  if (schema.$ref !== undefined) {
    if (seen.has(schema.$ref)) return
    seen.add(schema.$ref)
    yield* brokenBy(root, referred(root, schema.$ref), path, seen)
    return
  }
  const whole = exampleOf(root, true, schema)
  yield* brokenHere(schema, whole, path)
  for (const [name, of] of Object.entries(schema.properties ?? {}))
    for (const { payload, violation } of brokenBy(root, of, `${path}/${name}`, seen))
      yield { payload: { ...(whole as object), [name]: payload }, violation }
  if (schema.items !== undefined) {
    const sound = exampleOf(root, true, schema.items)
    for (const { payload, violation } of brokenBy(root, schema.items, `${path}/1`, seen))
      yield { payload: [sound, payload], violation }
  }
}

function* brokenHere(schema: Schema, whole: unknown, path: string): Generator<Broken> {
  const broken = (payload: unknown, rule: string, at = path): Broken => ({ payload, violation: { path: at, rule } })
  if (schema.type !== undefined) yield broken(null, 'type')
  if (schema.type !== undefined) yield broken(schema.type === 'string' ? 1 : 'text', 'type')
  if (schema.type === 'integer') yield broken(1.5, 'type')
  for (const name of schema.required ?? [])
    yield broken({ ...(whole as object), [name]: undefined }, 'required', `${path}/${name}`)
  if (schema.additionalProperties === false && schema.properties !== undefined)
    yield broken({ ...(whole as object), 'an/other': 1 }, 'additionalProperties', `${path}/an~1other`)
  if (schema.enum !== undefined) yield broken(`${schema.enum[0] ?? ''}s`, 'enum')
  if (schema.maxLength !== undefined && schema.enum === undefined)
    yield broken('é'.repeat(schema.maxLength + 1), 'maxLength')
  if (schema.format !== undefined) yield broken('x y', 'format')
  if (schema.minimum !== undefined) yield broken(schema.minimum - 1, 'minimum')
  if (schema.maximum !== undefined) yield broken(schema.maximum + 1, 'maximum')
  if (schema.multipleOf !== undefined) yield broken(schema.multipleOf * 1.5, 'multipleOf')
  if (schema.minItems !== undefined) yield broken([], 'minItems')
  if (schema.maxItems !== undefined)
    yield broken(
      Array.from({ length: schema.maxItems + 1 }, () => (whole as unknown[])[0]),
      'maxItems',
    )
}

function referred(root: Schema, ref: string): Schema {
  const found = root.definitions?.[ref.replace('#/definitions/', '')]
  if (found === undefined) throw new Error(`${root.$id} has no ${ref}`)
  return found
}
