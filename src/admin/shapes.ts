/**
 * Shapes of JSON values: one row gives the TypeScript type, the schema in the OpenAPI document and the check of what a
 * client sends.
 *
 * Pure: no I/O, no Node.
 */

export type JsonSchema = { readonly [keyword: string]: unknown }

/** @typeParam T what a value of this shape is in TypeScript; it exists in types only */
export type Shape<T> = { readonly schema: JsonSchema; readonly is?: T }
export type TypeOf<S> = S extends Shape<infer T> ? T : never

type Members = Readonly<Record<string, Shape<unknown>>>
type Simplified<T> = { readonly [K in keyof T]: T[K] }

export function text(about: string, limits: JsonSchema = {}): Shape<string> {
  return { schema: { type: 'string', description: about, ...limits } }
}

/** RFC 3339, in UTC. */
export function time(about: string): Shape<string> {
  return text(about, { format: 'date-time' })
}

export function number(about: string, limits: JsonSchema = {}): Shape<number> {
  return { schema: { type: 'number', description: about, ...limits } }
}

export function integer(about: string, limits: JsonSchema = {}): Shape<number> {
  return { schema: { type: 'integer', description: about, ...limits } }
}

export function flag(about: string, limits: JsonSchema = {}): Shape<boolean> {
  return { schema: { type: 'boolean', description: about, ...limits } }
}

export function oneOf<const Word extends string>(about: string, words: readonly Word[], more: JsonSchema = {}) {
  return { schema: { type: 'string', description: about, enum: words, ...more } } as Shape<Word>
}

/** A JSON object with any members, such as a payload of OCPP. */
export function anyObject(about: string): Shape<object> {
  return { schema: { type: 'object', description: about } }
}

export function list<T>(about: string, item: Shape<T>, limits: JsonSchema = {}): Shape<readonly T[]> {
  return { schema: { type: 'array', description: about, items: item.schema, ...limits } }
}

/** An object whose members have names that are data, such as actions. */
export function record<T>(about: string, value: Shape<T>): Shape<Readonly<Record<string, T>>> {
  return { schema: { type: 'object', description: about, additionalProperties: value.schema } }
}

/** Present in every answer, and `null` where it is not known. */
export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  const { type, description, ...rest } = shape.schema
  if (typeof type === 'string' && rest['enum'] === undefined)
    return { schema: { type: [type, 'null'], description, ...rest } }
  return { schema: { anyOf: [{ type, ...rest }, { type: 'null' }], description } }
}

/** An object; every member is present. */
export function object<const M extends Members>(
  about: string,
  members: M,
): Shape<Simplified<{ [K in keyof M]: TypeOf<M[K]> }>> {
  return {
    schema: {
      type: 'object',
      description: about,
      required: Object.keys(members),
      properties: Object.fromEntries(Object.entries(members).map(([name, { schema }]) => [name, schema])),
    },
  }
}

/** A parameter of the query, or a member of the body. */
export type Field<T = unknown> = Shape<T> & { readonly required: boolean }

export function required<T>(shape: Shape<T>) {
  return { ...shape, required: true } as const
}

export function optional<T>(shape: Shape<T>) {
  return { ...shape, required: false } as const
}

/** An optional field that has this value where a client leaves it out. */
export function withDefault<T>({ schema }: Shape<T>, usual: T): Field<T> & { readonly hasDefault: true } {
  return { schema: { ...schema, default: usual }, required: false, hasDefault: true }
}
