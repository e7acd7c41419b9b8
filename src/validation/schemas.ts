/**
 * The official JSON schemas (OCPP part 3), as the package `ocpp-rpc` carries them: its three data files are read, and none
 * of its code is run. All are read at the start: later there may be no file descriptor for it. A message's schema is
 * compiled when it is first needed.
 *
 * The only import of Ajv. The schemas hold as they are, but for one leniency: a `date-time` may come without a zone, as
 * many stations send it.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Ajv, type ErrorObject } from 'ajv'
import formats from 'ajv-formats'
import { isObject, parseJson } from '../ocpp/json.ts'
import { versions, type SchemaSet } from '../ocpp/version.ts'
import type { Violation } from '../ocpp/violations.ts'
import type { Schemas } from '../session/ports.ts'

/** A schema, or a part of one. */
type Node = Record<string, unknown>
type SchemaInFile = { readonly $id: string; readonly definitions?: Readonly<Record<string, Node>> } & Node
/** A version's schemas, by action. */
type SchemasByAction = Readonly<Record<'request' | 'response', ReadonlyMap<string, object>>>

/** How many violations of a payload are told. */
const mostTold = 10
/** Up to how many characters of payload all violations are looked for: one long array of wrong values has a million. */
const longestSearched = 65_536
/** How many characters of an unknown field's name stand in a path. */
const longestName = 64
/** How many characters a time may have. */
const longestTime = 64

/** Throws where a file of schemas is missing. */
export function openSchemas(): Schemas {
  const sets = new Map(Object.entries(versions).map(([version, { schemas }]) => [version, readSchemas(schemas)]))
  const first = compiler({ allErrors: false })
  const all = compiler({ allErrors: true })
  return {
    violations(version, action, message, payload) {
      const schema = sets.get(version)?.[message].get(action)
      if (schema === undefined) return []
      const value = parseJson(payload)
      const found = violationsBy(first, schema, value)
      return found.length === 0 || payload.length > longestSearched ? found : violationsBy(all, schema, value)
    },
  }
}

function readSchemas({ file: name, request, response }: SchemaSet): SchemasByAction {
  const file = createRequire(import.meta.url).resolve(`ocpp-rpc/lib/schemas/${name}.json`)
  const schemas = { request: new Map<string, object>(), response: new Map<string, object>() }
  // Ajv finds fault with the ids as URNs.
  for (const { $id, definitions = {}, ...schema } of JSON.parse(readFileSync(file, 'utf8')) as SchemaInFile[]) {
    for (const part of [schema, ...Object.values(definitions)]) linkReferences(part, definitions)
    const id = $id.replace('urn:', '')
    if (id.endsWith(response)) schemas.response.set(id.slice(0, -response.length), schema)
    else schemas.request.set(id.endsWith(request) ? id.slice(0, -request.length) : id, schema)
  }
  return schemas
}

/**
 * Puts each definition in the place of the references to it. Ajv would make it a function of its own, and copy the list of
 * all violations so far each time that one finds some: seconds for a list of 32,000 wrong values.
 */
function linkReferences(schema: Node, definitions: Readonly<Record<string, Node>>): void {
  for (const [key, part] of Object.entries(schema)) {
    if (!isObject(part)) continue
    const name = typeof part['$ref'] === 'string' ? part['$ref'].replace('#/definitions/', '') : null
    if (name === null) linkReferences(part, definitions)
    else schema[key] = definitions[name]
  }
}

/**
 * `strict: false` passes over keywords that mean nothing (`javaType`), and but for `strictNumbers` would take 1e999 for a
 * number. Without a precision 0.3 is no multiple of 0.1. The dialects that the files name are of no account: they use what
 * all have in common.
 */
function compiler(options: { readonly allErrors: boolean }): Ajv {
  const lax = { strict: false, strictNumbers: true, meta: false, validateSchema: false, messages: false } as const
  // This format takes a time without a zone; it cuts a text at each space, hence the limit.
  const isTime = new Ajv({ ...lax, formats: { time: formats.default.get('iso-date-time') } }).compile<string>({
    type: 'string',
    maxLength: longestTime,
    format: 'time',
  })
  return new Ajv({
    ...lax,
    ...options,
    multipleOfPrecision: 6,
    addUsedSchema: false,
    formats: { 'date-time': (text: string) => isTime(text), uri: formats.default.get('uri') },
  })
}

function violationsBy(ajv: Ajv, schema: object, value: unknown): Violation[] {
  const isValid = ajv.compile(schema) // compiles once, and finds it again by the schema's identity
  if (isValid(value)) return []
  const found = (isValid.errors ?? []).slice(0, mostTold).map(violationOf)
  isValid.errors = null // else they stay until the next ones come
  return found
}

function violationOf({ instancePath, keyword, params }: ErrorObject): Violation {
  const { missingProperty, additionalProperty } = params as Readonly<Record<string, unknown>>
  const field = missingProperty ?? additionalProperty
  return { path: typeof field === 'string' ? `${instancePath}/${escaped(field)}` : instancePath, rule: keyword }
}

/** A field's name as a JSON pointer has it, cut: the sender of an unknown one may have made it as long as a message. */
function escaped(name: string): string {
  const shown = name.length > longestName ? `${name.slice(0, longestName)}…` : name
  return shown.replaceAll('~', '~0').replaceAll('/', '~1')
}
