/**
 * The official JSON schemas (OCPP part 3), from the package `ocpp-rpc`: only its three data files are read, none of its
 * code runs. The files are read at startup, because no file descriptor may be free later. Each schema is compiled on
 * first use.
 *
 * The only import of Ajv. The schemas apply unchanged, with one exception: a `date-time` may lack its zone, which many
 * stations omit.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Ajv, type ErrorObject } from 'ajv'
import formats from 'ajv-formats'
import { isObject, parseJson } from '../ocpp/json.ts'
import { versions, type SchemaSet, type Version } from '../ocpp/version.ts'
import type { Violation } from '../ocpp/violations.ts'
import type { Schemas } from '../session/ports.ts'

/** A schema, or a part of one. */
type Node = Record<string, unknown>
type SchemaInFile = { readonly $id: string; readonly definitions?: Readonly<Record<string, Node>> } & Node
/** The schemas of a version, by action. */
type SchemasByAction = Readonly<Record<'request' | 'response', ReadonlyMap<string, object>>>

/** Most violations reported for one payload. */
const maxViolations = 10
/** Most characters of an unknown field's name in a path. */
const maxNameLength = 64
/** Most characters of a time. */
const maxTimeLength = 64

/** The schemas themselves, for those who show them. */
export interface SchemaTexts {
  /** Without references; `null` if there is none. */
  schemaOf(version: Version, action: string, message: 'request' | 'response'): object | null
}

/** Throws if a schema file is missing. */
export function openSchemas(): Schemas & SchemaTexts {
  const sets = new Map(Object.entries(versions).map(([version, { schemas }]) => [version, readSchemas(schemas)]))
  const ajv = compiler()
  return {
    schemaOf: (version, action, message) => sets.get(version)?.[message].get(action) ?? null,
    violations(version, action, message, payload, value = parseJson(payload)) {
      const schema = sets.get(version)?.[message].get(action)
      if (schema === undefined) return []
      const isValid = ajv.compile(schema) // cached by the identity of the schema
      try {
        if (isValid(value)) return []
        return (isValid.errors ?? []).map(violationOf)
      } catch (errors) {
        if (!Array.isArray(errors)) throw errors
        return (errors as ErrorObject[]).map(violationOf)
      } finally {
        isValid.errors = null // frees the errors, which Ajv otherwise keeps until the next validation
      }
    },
  }
}

function readSchemas({ file: name, request, response }: SchemaSet): SchemasByAction {
  const file = createRequire(import.meta.url).resolve(`ocpp-rpc/lib/schemas/${name}.json`)
  const schemas = { request: new Map<string, object>(), response: new Map<string, object>() }
  // Ajv rejects the ids as URNs.
  for (const { $id, definitions = {}, ...schema } of JSON.parse(readFileSync(file, 'utf8')) as SchemaInFile[]) {
    for (const part of [schema, ...Object.values(definitions)]) linkReferences(part, definitions)
    const id = $id.replace('urn:', '')
    if (id.endsWith(response)) schemas.response.set(id.slice(0, -response.length), schema)
    else schemas.request.set(id.endsWith(request) ? id.slice(0, -request.length) : id, schema)
  }
  return schemas
}

/**
 * Replaces each reference by its definition. Otherwise Ajv compiles a function per definition, and copies the list of
 * violations whenever one of them adds to it, which takes seconds for an array of 32,000 wrong values.
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
 * `strict: false` ignores unknown keywords (`javaType`), but would also accept 1e999 as a number without
 * `strictNumbers`. Without `multipleOfPrecision`, 0.3 is not a multiple of 0.1. `meta: false` ignores the dialects that
 * the files declare, as they only use keywords common to all.
 *
 * Ajv finds either the first violation or all of them, and an array of wrong values has a million. So its code, which
 * counts them, is made to stop at the last one that is reported.
 */
function compiler(): Ajv {
  const lax = { strict: false, strictNumbers: true, meta: false, validateSchema: false, messages: false } as const
  // This format accepts a time without a zone. It splits the text at every space, so its length is limited.
  const isTime = new Ajv({ ...lax, formats: { time: formats.default.get('iso-date-time') } }).compile<string>({
    type: 'string',
    maxLength: maxTimeLength,
    format: 'time',
  })
  return new Ajv({
    ...lax,
    allErrors: true,
    code: { process: code => code.replaceAll('errors++;', `if (++errors === ${maxViolations}) throw vErrors;`) },
    multipleOfPrecision: 6,
    addUsedSchema: false,
    formats: { 'date-time': (text: string) => isTime(text), uri: formats.default.get('uri') },
  })
}

function violationOf({ instancePath, keyword, params }: ErrorObject): Violation {
  const { missingProperty, additionalProperty } = params as Readonly<Record<string, unknown>>
  const field = missingProperty ?? additionalProperty
  return { path: typeof field === 'string' ? `${instancePath}/${escaped(field)}` : instancePath, rule: keyword }
}

/** A field name as part of a JSON pointer. Truncated, because an unknown field's name may be as long as a message. */
function escaped(name: string): string {
  const shown = name.length > maxNameLength ? `${name.slice(0, maxNameLength)}…` : name
  return shown.replaceAll('~', '~0').replaceAll('/', '~1')
}
