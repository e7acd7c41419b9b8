/**
 * The value that a form edits: a tree of JSON, changed in place of a path, of which every step is a new tree.
 *
 * Pure: no DOM.
 */
import type { Schema } from './schema.ts'

export type Path = readonly (string | number)[]

/** What a form begins with: required members that are objects or lists, so that their fields show; no values. */
export function emptyValue(schema: Schema): unknown {
  if (schema.type === 'object') {
    const required = schema.required ?? []
    const members = Object.entries(schema.properties ?? {})
      .filter(([name]) => required.includes(name))
      .map(([name, property]) => [name, emptyValue(property)] as const)
      .filter(([, value]) => value !== undefined)
    return Object.fromEntries(members)
  }
  if (schema.type !== 'array') return undefined
  return Array.from({ length: schema.minItems ?? 0 }, () => emptyValue(schema.items ?? {}))
}

/** The value at a path. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, step) => (typeof at === 'object' && at !== null ? (at as Readonly<Record<string, unknown>>)[step] : undefined),
    value,
  )
}

/** The same tree with another value at a path; `undefined` takes the member or item out. */
export function withValue(value: unknown, [step, ...rest]: Path, next: unknown): unknown {
  if (step === undefined) return next
  if (typeof step === 'number') {
    const items = Array.isArray(value) ? [...(value as readonly unknown[])] : []
    const item = withValue(items[step], rest, next)
    if (item === undefined) items.splice(step, 1)
    else items[step] = item
    return items
  }
  const members = { ...(typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}) }
  const member = withValue(members[step], rest, next)
  if (member !== undefined) return { ...members, [step]: member }
  return Object.fromEntries(Object.entries(members).filter(([name]) => name !== step))
}

/** What was typed, as the schema has it. Text that is no number stays text, and violates the schema. */
export function typedValue(text: string, { type, enum: words }: Schema): unknown {
  if (text === '') return undefined
  if (type === 'integer' || type === 'number') return Number.isNaN(Number(text)) ? text : Number(text)
  if (type === 'boolean') return text === 'true'
  if (type === undefined && words === undefined) return parsedOr(text)
  return text
}

function parsedOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** A JSON pointer, as violations have it. */
export function pointerOf(path: Path): string {
  return path.map(step => `/${step}`).join('')
}

/** The name of a member in words: `connectorId` is `connector id`. */
export function labelOf(name: string): string {
  return name
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .replace(/[A-Z][a-z]+/g, word => word.toLowerCase())
}
