/**
 * What each version's official JSON schemas (OCPP part 3) say of a payload.
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

/** Every action that a version has a schema for, a SEND's among them. */
export function actionsOf(version: Version): ReadonlySet<string> {
  return new Set(
    official[version].ids.map(id => id.replace(/^urn:/, '').replace(/(\.req|\.conf|Request|Response)$/, '')),
  )
}

/** What is wrong with a request's payload by its official schema; `null` if nothing is. */
export function problemOfRequest(version: Version, action: string, payload: string): string | null {
  return problemOf(version, `urn:${action}${versions[version].schemas.request}`, payload)
}

/** What is wrong with an answer's payload by its official schema; `null` if nothing is. */
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
