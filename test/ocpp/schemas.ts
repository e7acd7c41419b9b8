/**
 * The official JSON schemas of each version (OCPP part 3), as the package `ocpp-rpc` carries them, unchanged.
 */
import { createRequire } from 'node:module'
import { createValidator } from 'ocpp-rpc'
import type { Version } from '../../src/ocpp/version.ts'

type Schema = { readonly $id: string }

const require = createRequire(import.meta.url)

/** Where a version's schemas are, and how its request and response schemas are called after the action. */
const sources = {
  'ocpp1.6': { file: 'ocpp1_6', request: '.req', response: '.conf' },
  'ocpp2.0.1': { file: 'ocpp2_0_1', request: '.req', response: '.conf' },
  'ocpp2.1': { file: 'ocpp2_1', request: 'Request', response: 'Response' },
} as const

export const allVersions = Object.keys(sources) as readonly Version[]

function load(version: Version): { ids: readonly string[]; validator: ReturnType<typeof createValidator> } {
  const schemas = require(`ocpp-rpc/lib/schemas/${sources[version].file}.json`) as Schema[]
  return { ids: schemas.map(({ $id }) => $id), validator: createValidator(version, schemas) }
}

const official = { 'ocpp1.6': load('ocpp1.6'), 'ocpp2.0.1': load('ocpp2.0.1'), 'ocpp2.1': load('ocpp2.1') }

/** Every action that a version has a schema for, a SEND's among them. */
export function actionsOf(version: Version): ReadonlySet<string> {
  return new Set(
    official[version].ids.map(id => id.replace(/^urn:/, '').replace(/(\.req|\.conf|Request|Response)$/, '')),
  )
}

/** What is wrong with a request's payload by its official schema; `null` if nothing is. */
export function problemOfRequest(version: Version, action: string, payload: string): string | null {
  return problemOf(version, `urn:${action}${sources[version].request}`, payload)
}

/** What is wrong with an answer's payload by its official schema; `null` if nothing is. */
export function problemOfResponse(version: Version, action: string, payload: string): string | null {
  return problemOf(version, `urn:${action}${sources[version].response}`, payload)
}

function problemOf(version: Version, schema: string, payload: string): string | null {
  try {
    void official[version].validator.validate(schema, JSON.parse(payload))
    return null
  } catch (error) {
    return String(error)
  }
}
