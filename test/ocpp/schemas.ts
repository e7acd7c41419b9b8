/**
 * Validates payloads against the official JSON schemas of each version (OCPP part 3).
 */
import { createValidator } from 'ocpp-rpc'
import { versions, type Version } from '../../src/ocpp/version.ts'
import { officialSchemas } from '../support/official-schemas.ts'

export const allVersions = Object.keys(versions) as readonly Version[]

function load(version: Version): { ids: readonly string[]; validator: ReturnType<typeof createValidator> } {
  const schemas = officialSchemas(version)
  return { ids: schemas.map(({ $id }) => $id), validator: createValidator(version, schemas) }
}

const official = { 'ocpp1.6': load('ocpp1.6'), 'ocpp2.0.1': load('ocpp2.0.1'), 'ocpp2.1': load('ocpp2.1') }

/** Every action that has a schema in a version, including SENDs. */
export function actionsOf(version: Version): ReadonlySet<string> {
  return new Set(
    official[version].ids.map(id => id.replace(/^urn:/, '').replace(/(\.req|\.conf|Request|Response)$/, '')),
  )
}

/** The problem with a request's payload according to its official schema; `null` if it is valid. */
export function problemOfRequest(version: Version, action: string, payload: string): string | null {
  return problemOf(version, `urn:${action}${versions[version].schemas.request}`, payload)
}

/** The problem with an answer's payload according to its official schema; `null` if it is valid. */
export function problemOfResponse(version: Version, action: string, payload: string): string | null {
  return problemOf(version, `urn:${action}${versions[version].schemas.response}`, payload)
}

function problemOf(version: Version, schema: string, payload: string): string | null {
  try {
    void official[version].validator.validate(schema, JSON.parse(payload))
    return null
  } catch (error) {
    return String(error)
  }
}
