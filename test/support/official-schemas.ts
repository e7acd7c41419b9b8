/**
 * The official JSON schemas of each version (OCPP Part 3) from the package `ocpp-rpc`, without the meaningless
 * `additionalProperties` of strings, which Ajv rejects.
 */
import { createRequire } from 'node:module'
import { versions, type Version } from '../../src/ocpp/version.ts'

export type OfficialSchema = { readonly $id: string }

const require = createRequire(import.meta.url)

export function officialSchemas(version: Version): readonly OfficialSchema[] {
  const schemas: unknown = require(`ocpp-rpc/lib/schemas/${versions[version].schemas.file}.json`)
  return JSON.parse(JSON.stringify(schemas, withoutNonsense)) as readonly OfficialSchema[]
}

function withoutNonsense(_key: string, value: unknown): unknown {
  const isText = typeof value === 'object' && value !== null && 'type' in value && value.type === 'string'
  return isText ? { ...value, additionalProperties: undefined } : value
}
