/**
 * Valid payloads of every action, drawn from the official schemas (OCPP part 3), and the actions by direction.
 */
import { createRequire } from 'node:module'
import { toStation16, toStation201, toStation21 } from '../../src/ocpp/actions.ts'
import type { Version } from '../../src/ocpp/version.ts'
import type { Random } from './random.ts'

type Schema = {
  readonly $ref?: string
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly minItems?: number
  readonly maxItems?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
  readonly format?: string
  readonly multipleOf?: number
}
type Definitions = Readonly<Record<string, Schema>>
type Root = Schema & { readonly $id: string; readonly definitions?: Definitions }

const require = createRequire(import.meta.url)
const files = { 'ocpp1.6': 'ocpp1_6', 'ocpp2.0.1': 'ocpp2_0_1', 'ocpp2.1': 'ocpp2_1' } as const
const toStation = { 'ocpp1.6': toStation16, 'ocpp2.0.1': toStation201, 'ocpp2.1': toStation21 }

export const versions = ['ocpp1.6', 'ocpp2.0.1', 'ocpp2.1'] as const satisfies readonly Version[]

/** By action, and by action and ` answer`. */
const schemas = {
  'ocpp1.6': load('ocpp1.6'),
  'ocpp2.0.1': load('ocpp2.0.1'),
  'ocpp2.1': load('ocpp2.1'),
}

function load(version: Version): ReadonlyMap<string, Root> {
  const roots = require(`ocpp-rpc/lib/schemas/${files[version]}.json`) as readonly Root[]
  return new Map(
    roots.map(root => {
      const [, action = '', kind = ''] = /^urn:(\w+?)(\.req|\.conf|Request|Response)?$/.exec(root.$id) ?? []
      return [/conf|Response/.test(kind) ? `${action} answer` : action, root]
    }),
  )
}

/** The only action that is a SEND (OCPP 2.1 Part 4 table 8). */
export const sendAction = 'NotifyPeriodicEventStream'

export function commandsOf(version: Version): readonly string[] {
  return [...toStation[version]]
}

/** What a station CALLs; DataTransfer goes both ways. */
export function stationActionsOf(version: Version): readonly string[] {
  return [...schemas[version].keys()].filter(
    name =>
      !name.endsWith(' answer') && name !== sendAction && (name === 'DataTransfer' || !toStation[version].has(name)),
  )
}

export function requestFor(version: Version, action: string, random: Random): string {
  return draw(version, action, random)
}

export function answerFor(version: Version, action: string, random: Random): string {
  return draw(version, `${action} answer`, random)
}

function draw(version: Version, name: string, random: Random): string {
  const root = schemas[version].get(name)
  if (root === undefined) throw new Error(`${version} has no schema of ${name}`)
  return JSON.stringify(valueOf(root, root.definitions ?? {}, random, 0))
}

function valueOf(schema: Schema, definitions: Definitions, random: Random, depth: number): unknown {
  const { $ref } = schema
  if ($ref !== undefined) {
    const target = definitions[$ref.replace('#/definitions/', '')]
    if (target === undefined) throw new Error(`no ${$ref}`)
    return valueOf(target, definitions, random, depth)
  }
  if (schema.enum !== undefined) return random.pick(schema.enum)
  switch (schema.type) {
    case 'object':
      return objectOf(schema, definitions, random, depth)
    case 'array': {
      const least = Math.max(1, schema.minItems ?? 0)
      const count = Math.min(schema.maxItems ?? 3, least + random.integer(depth > 3 ? 1 : 3))
      return Array.from({ length: count }, () => valueOf(schema.items ?? {}, definitions, random, depth + 1))
    }
    case 'string':
      return textOf(schema, random)
    case 'integer':
      return wholeOf(schema, random)
    case 'number':
      return numberOf(schema, random)
    case 'boolean':
      return random.chance(0.5)
    case undefined:
    default:
      return 'anything'
  }
}

function objectOf(
  { properties = {}, required = [] }: Schema,
  definitions: Definitions,
  random: Random,
  depth: number,
): object {
  const wanted = Object.entries(properties).filter(
    ([name]) => required.includes(name) || random.chance(0.4 / (depth + 1)),
  )
  return Object.fromEntries(wanted.map(([name, schema]) => [name, valueOf(schema, definitions, random, depth + 1)]))
}

const alphabets = ['ABCDEF0123456789', 'abc -_.:+|@', 'Zoë→ß中', '"\\/{}[],\u2028'].map(letters => letters.split(''))

function textOf({ format, maxLength = 40 }: Schema, random: Random): string {
  if (format === 'date-time') return new Date(1_767_000_000_000 + random.integer(2 ** 31)).toISOString()
  if (format === 'uri') return 'https://csms.example/file'
  const letters = random.pick(alphabets)
  const length = random.chance(0.1) ? Math.min(maxLength, 300) : Math.min(maxLength, 1 + random.integer(20))
  return Array.from({ length }, () => random.pick(letters)).join('')
}

function wholeOf({ minimum, maximum = (minimum ?? 0) + 1_000 }: Schema, random: Random): number {
  const least = minimum ?? Math.min(0, maximum - 1_000)
  return Math.floor(least + random.next() * (maximum - least + 1))
}

function numberOf(schema: Schema, random: Random): number {
  const whole = wholeOf(schema, random)
  if (schema.multipleOf !== undefined || random.chance(0.5)) return whole
  return Math.min(schema.maximum ?? Infinity, whole + random.integer(1_000) / 1_000)
}
