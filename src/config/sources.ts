/**
 * The three places that options are given in: the command line, the environment, a TOML file.
 *
 * Pure. Each is read against the table, into the values given and the faults of the place itself (what is not in the
 * table); whether a value is accepted is seen here too, what becomes of it is not.
 */
import { parse, TomlError } from 'smol-toml'
import type { Row, Spelling } from './option.ts'
import { programRows, rows } from './options.ts'

/** One value, as it was given in one place. */
export type Given = {
  readonly row: Row
  /** The place, in words: `--port`, `ANYCABLE_PORT`, `server.port in ./ocpp-cable.toml`. */
  readonly from: string
  readonly raw: unknown
  /** `undefined`: not accepted. */
  readonly value: unknown
  /** The spelling to use, where an old one was. */
  readonly insteadOf: string | null
}

export type Reading = { readonly given: Given[]; readonly problems: string[] }

type Found = { readonly row: Row; readonly spelling: Spelling }

const flags = byName([...rows, ...programRows], spelling => spelling.flag)
const tomlKeys = byName(rows, spelling => spelling.toml)

/** Reads `--flag value`, `--flag=value` and the same with one dash; of a flag given twice the last counts. */
export function readFlags(argv: readonly string[]): Reading {
  const reading: Reading = { given: [], problems: [] }
  let rest = argv
  while (rest.length > 0) rest = readArgument(rest, reading)
  return reading
}

/** Reads the variables of the table, and no other. One that is empty is not given; for a switch it means false. */
export function readEnv(env: Readonly<Record<string, string | undefined>>): Reading {
  const given = rows.flatMap(row => {
    const spelling = row.spellings.find(each => isGiven(row, env[each.env ?? '']))
    const text = env[spelling?.env ?? '']
    if (spelling?.env === undefined || text === undefined) return []
    const value = text === '' ? false : row.option.kind.parse(text)
    return [{ row, from: spelling.env, raw: text, value, insteadOf: insteadOf(row, spelling, 'env') }]
  })
  return { given, problems: [] }
}

/** Reads a TOML text; of two spellings of one option the right one counts. */
export function readToml(toml: string, path: string): Reading {
  let table: object
  try {
    table = parse(toml)
  } catch (error) {
    return { given: [], problems: [`${path}: ${syntaxProblem(error)}`] }
  }
  const leaves = new Map(leavesOf(table, ''))
  const unknown = [...leaves.keys()].filter(key => !tomlKeys.has(key))
  return {
    given: rows.flatMap(row => givenInToml(row, leaves, path)),
    problems: unknown.map(key => `${key} in ${path}: there is no such key${didYouMean(key, [...tomlKeys.keys()], '')}`),
  }
}

/** Reads the first argument, and the next if it is its value; returns what is left. */
function readArgument([argument = '', ...rest]: readonly string[], into: Reading): readonly string[] {
  const [, name = '', text] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(argument) ?? []
  const found = flags.get(name)
  if (found === undefined) return readUnknown(argument, name, text !== undefined, rest, into)
  const add = (value: string) => addFlag(found, `${/^--?/.exec(argument)?.[0] ?? ''}${name}`, value, into)
  if (text !== undefined) add(text)
  else if (found.row.option.kind.shape === 'switch') add('true')
  else return readValue(argument, rest, add, into)
  return rest
}

function readValue(
  flag: string,
  [value, ...rest]: readonly string[],
  add: (value: string) => void,
  into: Reading,
): readonly string[] {
  if (value !== undefined && !isFlag(value)) {
    add(value)
    return rest
  }
  into.problems.push(`${flag}: a value is missing`)
  return value === undefined ? rest : [value, ...rest]
}

/** What follows an unknown flag is taken for its value, so that one mistake is one problem. */
function readUnknown(
  argument: string,
  name: string,
  hasValue: boolean,
  rest: readonly string[],
  into: Reading,
): readonly string[] {
  if (name === '') {
    const hint = /^(true|false)$/i.test(argument) ? ' (a switch is written --flag=false)' : ''
    into.problems.push(`${JSON.stringify(argument)}: only flags are accepted here${hint}`)
    return rest
  }
  into.problems.push(`--${name}: there is no such flag${didYouMean(name, [...flags.keys()], '--')}`)
  return hasValue || rest[0]?.startsWith('-') !== false ? rest : rest.slice(1)
}

function addFlag({ row, spelling }: Found, from: string, text: string, { given }: Reading): void {
  const before = given.findIndex(each => each.row === row)
  const [earlier] = before === -1 ? [] : given.splice(before, 1)
  const { kind } = row.option
  const raw = kind.shape === 'many' && typeof earlier?.raw === 'string' ? `${earlier.raw},${text}` : text
  given.push({ row, from, raw, value: kind.parse(raw), insteadOf: insteadOf(row, spelling, 'flag') })
}

function isFlag(argument: string): boolean {
  return flags.has(/^--?([^-=][^=]*)/.exec(argument)?.[1] ?? '')
}

function isGiven(row: Row, text: string | undefined): boolean {
  return text !== undefined && (text !== '' || row.option.kind.shape === 'switch')
}

function givenInToml(row: Row, leaves: ReadonlyMap<string, unknown>, path: string): Given[] {
  const spelling = row.spellings.find(({ toml }) => toml !== undefined && leaves.has(toml))
  if (spelling?.toml === undefined) return []
  const raw = leaves.get(spelling.toml)
  const from = `${spelling.toml} in ${path}`
  return [{ row, from, raw, value: row.option.kind.fromToml(raw), insteadOf: insteadOf(row, spelling, 'toml') }]
}

/** The values of a table by dotted key. An empty table counts as a key unless it is one of ours. */
function leavesOf(table: object, prefix: string): [string, unknown][] {
  return Object.entries(table).flatMap(([key, value]: [string, unknown]): [string, unknown][] => {
    const path = prefix + key
    if (!isTable(value) || tomlKeys.has(path)) return [[path, value]]
    const leaves = leavesOf(value, `${path}.`)
    return leaves.length > 0 || isSection(path) ? leaves : [[path, value]]
  })
}

function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

function isSection(path: string): boolean {
  return [...tomlKeys.keys()].some(key => key.startsWith(`${path}.`))
}

/** The first line of the message; the lines after it draw the place, which line and column name. */
function syntaxProblem(error: unknown): string {
  if (!(error instanceof TomlError)) throw error
  const [message = ''] = error.message.split('\n')
  return `line ${error.line}, column ${error.column}: ${message}`
}

function insteadOf(row: Row, spelling: Spelling, place: 'flag' | 'env' | 'toml'): string | null {
  return spelling.old ? `${place === 'flag' ? '--' : ''}${row.spellings[0][place] ?? ''}` : null
}

function byName(table: readonly Row[], nameIn: (spelling: Spelling) => string | undefined): ReadonlyMap<string, Found> {
  const found = new Map<string, Found>()
  for (const row of table) {
    for (const spelling of row.spellings) {
      const name = nameIn(spelling)
      if (name !== undefined) found.set(name, { row, spelling })
    }
  }
  return found
}

/** A known name that differs by a letter or two, if there is one. */
function didYouMean(given: string, known: readonly string[], dashes: string): string {
  const [nearest] = known
    .map(name => ({ name, apart: distance(alike(given), alike(name)) }))
    .filter(({ name, apart }) => apart <= Math.min(2, name.length / 2))
    .sort((one, other) => one.apart - other.apart)
  return nearest === undefined ? '' : `; did you mean ${dashes}${nearest.name}?`
}

function alike(name: string): string {
  return name.toLowerCase().replaceAll('-', '_')
}

/** How many letters must be put in, left out or changed to make one text of the other (Levenshtein). */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (let at = 0; at < one.length; at++) {
    row = row.reduce<number[]>((next, above, column) => {
      const left = next.at(-1)
      const diagonal = (row[column - 1] ?? 0) + (other[column - 1] === one[at] ? 0 : 1)
      return [...next, left === undefined ? at + 1 : Math.min(above + 1, left + 1, diagonal)]
    }, [])
  }
  return row.at(-1) ?? 0
}
