/**
 * The three sources of options: the command line, the environment, a TOML file.
 *
 * Pure. Each source is read against the option table. A reading has the values given, each validated, and the problems
 * of the source itself, such as unknown names. How the values combine is not decided here.
 */
import { parse, TomlError } from 'smol-toml'
import { didYouMean } from './nearest.ts'
import { notAccepted, readWith, type Row, type Spelling } from './option.ts'
import { programRows, rows } from './options.ts'
import { isTable } from './toml.ts'

/** One value, as given in one source. */
export type Given = {
  readonly row: Row
  /** Where the value was given: `--port`, `ANYCABLE_PORT`, `server.port in ./ocpp-cable.toml`. */
  readonly from: string
  readonly raw: unknown
  /** `undefined` if invalid. */
  readonly value: unknown
  /** Why the value is invalid, one line each, with `from`; empty if it is valid. */
  readonly problems: readonly string[]
  /** The canonical spelling, if a deprecated one was used. */
  readonly insteadOf: string | null
}

export type Reading = { readonly given: Given[]; readonly problems: string[] }

type Found = { readonly row: Row; readonly spelling: Spelling }

const flags = byName([...rows, ...programRows], spelling => spelling.flag)
const tomlKeys = byName(rows, spelling => spelling.toml)

/** Reads `--flag value` and `--flag=value`, with one dash or two. A repeated flag overrides, or adds to its list. */
export function readFlags(argv: readonly string[]): Reading {
  const reading: Reading = { given: [], problems: [] }
  let rest = argv
  while (rest.length > 0) rest = readArgument(rest, reading)
  return reading
}

/** Reads only the variables in the table. An empty variable is unset, except for a switch, where it means false. */
export function readEnv(env: Readonly<Record<string, string | undefined>>): Reading {
  const given = rows.flatMap(row => {
    const spelling = row.spellings.find(each => isGiven(row, env[each.env ?? '']))
    const text = env[spelling?.env ?? '']
    if (spelling?.env === undefined || text === undefined) return []
    const value = text === '' ? false : row.option.kind.parse(text)
    return [givenAsText(row, spelling.env, text, value, insteadOf(row, spelling, 'env'))]
  })
  return { given, problems: [] }
}

/** Reads a TOML text. The canonical spelling of an option wins over a deprecated one. */
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
    problems: unknown.map(key => `${key} in ${path}: unknown key${didYouMean(key, [...tomlKeys.keys()], '')}`),
  }
}

/** Reads the first argument, and the second one if it is the value of the first; returns the rest. */
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

/** Takes the argument after an unknown flag for its value, so that one mistake is one problem. */
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
  const hint = tomlKeys.get(name)?.row.option.kind.shape === 'table' ? '; it is a table in the TOML file' : null
  into.problems.push(`--${name}: unknown flag${hint ?? didYouMean(name, [...flags.keys()], '--')}`)
  return hasValue || rest[0]?.startsWith('-') !== false ? rest : rest.slice(1)
}

function addFlag({ row, spelling }: Found, from: string, text: string, { given }: Reading): void {
  const before = given.findIndex(each => each.row === row)
  const [earlier] = before === -1 ? [] : given.splice(before, 1)
  const { kind } = row.option
  const raw = kind.shape === 'many' && typeof earlier?.raw === 'string' ? `${earlier.raw},${text}` : text
  given.push(givenAsText(row, from, raw, kind.parse(raw), insteadOf(row, spelling, 'flag')))
}

function givenAsText(row: Row, from: string, raw: string, value: unknown, insteadOf: string | null): Given {
  const problems = value === undefined ? [`${from}: ${notAccepted(row.option.kind, raw)}`] : []
  return { row, from, raw, value, problems, insteadOf }
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
  const { toml } = spelling
  const raw = leaves.get(toml)
  const problems: string[] = []
  const value = readWith(row.option.kind, raw, (at, problem) => problems.push(`${toml}${at} in ${path}: ${problem}`))
  return [{ row, from: `${toml} in ${path}`, raw, value, problems, insteadOf: insteadOf(row, spelling, 'toml') }]
}

/** The values of a table by dotted key. An empty table counts as a key, unless it is a known section. */
function leavesOf(table: object, prefix: string): [string, unknown][] {
  return Object.entries(table).flatMap(([key, value]: [string, unknown]): [string, unknown][] => {
    const path = prefix + key
    if (!isTable(value) || tomlKeys.has(path)) return [[path, value]]
    const leaves = leavesOf(value, `${path}.`)
    return leaves.length > 0 || isSection(path) ? leaves : [[path, value]]
  })
}

function isSection(path: string): boolean {
  return [...tomlKeys.keys()].some(key => key.startsWith(`${path}.`))
}

/** The first line of the message only: the rest draws the position, which line and column already give. */
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
