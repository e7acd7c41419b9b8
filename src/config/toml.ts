/**
 * The kinds of value that only TOML can write: tables.
 *
 * Pure.
 */
import { didYouMean } from './nearest.ts'
import { notAccepted, readWith, type Kind, type OnFault, type TomlValue } from './option.ts'

type Table = Readonly<Record<string, unknown>>

/** The members that all such kinds share. */
export const table = { placeholder: '', shape: 'table', parse: () => undefined, hides: () => false } as const

/** One table with a fixed set of keys. */
export function tableOf<T>({ keys, read, ...kind }: TableKind<T>): Kind<T> {
  return {
    ...table,
    ...kind,
    fromToml: (given, fault) => {
      if (!isTable(given)) return undefined
      for (const key of Object.keys(given))
        if (!keys.includes(key)) fault(atKey(key), `unknown key${didYouMean(key, keys)}`)
      return read(given, fault)
    },
  }
}

type TableKind<T> = Pick<Kind<T>, 'accepts' | 'toToml'> & {
  readonly keys: readonly string[]
  readonly read: (given: Table, fault: OnFault) => T | undefined
}

/** One field of a table; required unless there is a default, `otherwise`. */
export function field<T>(given: Table, key: string, kind: Kind<T>, fault: OnFault, otherwise?: T): T | undefined {
  const value = given[key]
  if (value !== undefined) return readWith(kind, value, within(atKey(key), fault))
  if (otherwise === undefined) fault('', `${key} is missing; expected ${kind.accepts}`)
  return otherwise
}

/** An array of tables of one kind, in order; `example` is one item. */
export function tablesOf<T>(item: Kind<T>, example: TomlValue): Kind<readonly T[]> {
  return {
    ...table,
    accepts: `an array ([[ ]]), each item ${item.accepts}`,
    example: [example],
    fromToml: (given, fault) => {
      if (!Array.isArray(given)) return undefined
      const items = given.map((each: unknown, at) => readWith(item, each, within(`[${at}]`, fault)))
      return items.filter(each => each !== undefined)
    },
    toToml: items => (items.length === 0 ? null : items.map(each => item.toToml(each) ?? {})),
  }
}

/** One table that maps names to values. `problemOf` returns the problem with a name, or `null`. */
export function tableBy<T>(
  names: { readonly accepts: string; problemOf(name: string): string | null },
  item: Kind<T>,
  example: TomlValue,
): Kind<Readonly<Record<string, T>>> {
  return {
    ...table,
    accepts: `a table, each key ${names.accepts}, each value ${item.accepts}`,
    example,
    fromToml: (given, fault) => {
      if (!isTable(given)) return undefined
      const entries = Object.entries(given).flatMap(([name, value]) => {
        const problem = names.problemOf(name)
        if (problem !== null) fault(atKey(name), problem)
        const read = problem === null ? readWith(item, value, within(atKey(name), fault)) : undefined
        return read === undefined ? [] : [[name, read] as const]
      })
      return Object.fromEntries(entries)
    },
    toToml: given => {
      const written = Object.entries(given).map(([name, value]) => [name, item.toToml(value) ?? {}] as const)
      return written.length === 0 ? null : Object.fromEntries(written)
    },
  }
}

/** Reports values that JSON cannot represent: TOML's dates and times, `nan` and `inf`. */
export function reportNonJson(value: unknown, fault: OnFault): void {
  if (Array.isArray(value)) value.forEach((each, at) => reportNonJson(each, within(`[${at}]`, fault)))
  else if (isTable(value))
    for (const [key, each] of Object.entries(value)) reportNonJson(each, within(atKey(key), fault))
  else if (value instanceof Date || (typeof value === 'number' && !Number.isFinite(value)))
    fault('', notAccepted(json, value))
}

const json = { accepts: 'a JSON value (quote a date or time)', hides: () => false }

export function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

function within(at: string, fault: OnFault): OnFault {
  return (deeper, problem) => fault(at + deeper, problem)
}

function atKey(key: string): string {
  return /^[\w-]+$/.test(key) ? `.${key}` : `.${JSON.stringify(key)}`
}
