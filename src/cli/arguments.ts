/**
 * Reads the arguments of one subcommand, by the rules of the bridge's own flags: `--flag=value` and `--flag value`,
 * with one dash or two; `--flag` or `--flag=false` for a switch.
 *
 * Pure.
 */
import { didYouMean } from '../config/nearest.ts'
import { nameOf, notAccepted, rowsOf, type Row } from '../config/option.ts'
import type { Command, Flags } from './command.ts'
import { UsageError } from './command.ts'
import { envFlags, placeFlags } from './flags.ts'

export type Arguments = {
  readonly words: readonly string[]
  readonly flags: Readonly<Record<string, unknown>>
  readonly bridgeFlags: readonly string[]
  readonly wantsHelp: boolean
}

type Reading = {
  readonly words: string[]
  readonly bridgeFlags: string[]
  readonly values: Map<Row, unknown>
  /** Names of flags on the command line, those of the bridge too. */
  readonly given: Set<string>
  readonly problems: string[]
  wantsHelp: boolean
}

/** Throws `UsageError` with a line for each problem. */
export function readArguments(
  command: Command,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Arguments {
  const rows = rowsOfFlags(command.flags)
  const reading: Reading = {
    words: [],
    bridgeFlags: [],
    values: new Map(),
    given: new Set(),
    problems: [],
    wantsHelp: false,
  }
  readEnvironment(rows, env, reading)
  let rest = argv
  while (rest.length > 0) rest = readArgument(rest, command, rows, reading)
  const { words, bridgeFlags, values, problems, wantsHelp } = reading
  if (!wantsHelp) problems.push(...countProblems(command, words), ...placeProblems(rows, reading))
  if (!wantsHelp && problems.length > 0) throw new UsageError(problems.join('\n'))
  const flags = Object.fromEntries(rows.map(row => [row.key, values.has(row) ? values.get(row) : row.option.default]))
  return { words, flags, bridgeFlags, wantsHelp }
}

export function rowsOfFlags(flags: Flags): readonly Row[] {
  return rowsOf({ cli: { title: '', options: flags } })
}

function readEnvironment(
  rows: readonly Row[],
  env: Readonly<Record<string, string | undefined>>,
  reading: Reading,
): void {
  for (const row of rows.filter(each => envFlags.has(nameOf(each)))) {
    const name = row.spellings[0].env ?? ''
    const text = env[name]
    if (text !== undefined && text !== '') readValue(row, name, text, reading)
  }
}

/** Reads the first argument, and the second one if it is its value; returns the rest. */
function readArgument(
  [argument = '', ...rest]: readonly string[],
  command: Command,
  rows: readonly Row[],
  reading: Reading,
): readonly string[] {
  if (argument === '--' && !command.takesBridgeFlags) {
    reading.words.push(...rest)
    return []
  }
  const [, dashes = '', name = '', text] = /^(--?)([^-=][^=]*)(?:=(.*))?$/s.exec(argument) ?? []
  if (name === 'help' || name === 'h') {
    reading.wantsHelp = true
    return rest
  }
  if (name !== '') reading.given.add(name)
  const row = rows.find(each => nameOf(each) === name)
  if (row === undefined) return readOther(argument, name, command, rows, rest, reading)
  if (text !== undefined) readValue(row, dashes + name, text, reading)
  else if (row.option.kind.shape === 'switch') readValue(row, dashes + name, 'true', reading)
  else {
    const [value, ...others] = rest
    if (value === undefined) reading.problems.push(`${argument}: a value is missing`)
    else readValue(row, dashes + name, value, reading)
    return others
  }
  return rest
}

/** A word, a flag of the bridge, or a mistake. */
function readOther(
  argument: string,
  name: string,
  command: Command,
  rows: readonly Row[],
  rest: readonly string[],
  { words, bridgeFlags, problems }: Reading,
): readonly string[] {
  if (command.takesBridgeFlags && (name !== '' || bridgeFlags.length > 0)) bridgeFlags.push(argument)
  else if (name === '') words.push(argument)
  else problems.push(`--${name}: unknown flag${didYouMean(name, rows.map(nameOf), '--')}`)
  return rest
}

function readValue(row: Row, from: string, text: string, { values, problems }: Reading): void {
  const value = row.option.kind.parse(text)
  if (value === undefined) problems.push(`${from}: ${notAccepted(row.option.kind, text)}`)
  else values.set(row, value)
}

/**
 * One bridge has one place: a flag that names it beats the variables of the others, so that a command never changes a
 * bridge that only the environment names.
 */
function placeProblems(rows: readonly Row[], { given, values }: Reading): string[] {
  const places = rows.filter(row => placeFlags.has(nameOf(row)))
  const named = [...placeFlags].filter(name => given.has(name))
  if (places.length === 0 || named.length === 0) return []
  for (const row of places.filter(each => !given.has(nameOf(each)))) values.delete(row)
  return named.length === 1 ? [] : [`${named.map(name => `--${name}`).join(' and ')} exclude each other`]
}

function countProblems({ args }: Command, words: readonly string[]): string[] {
  const missing = args.slice(words.length).filter(({ isOptional }) => isOptional !== true)
  const extra = args.at(-1)?.isMany === true ? [] : words.slice(args.length)
  return [
    ...missing.map(({ name }) => `${name} is missing`),
    ...extra.map(word => `${JSON.stringify(word)}: one argument too many`),
  ]
}
