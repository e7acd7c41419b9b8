/**
 * Resolves defaults, TOML file, environment and flags to the configuration, or to all problems at once. Each source
 * overrides those before it.
 *
 * Pure: reads no file, no variable, no clock.
 */
import { nameOf, type Row } from './option.ts'
import { programRows, rows, type ProgramSettings, type Settings } from './options.ts'
import { cautions, rules, settle, type Config, type Rule } from './rules.ts'
import { readEnv, readFlags, readToml, type Given, type Reading } from './sources.ts'

/** Where the configuration comes from. */
export type Sources = {
  /** The arguments after the program name. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** The contents of `askedOf(argv).file`; `null` when the file is optional and missing. */
  readonly file: ConfigFile | null
  /** The default `node_id`. */
  readonly nodeId: string
}

/** `unreadable` is the reason why the file could not be read. */
export type ConfigFile = { readonly path: string } & ({ readonly text: string } | { readonly unreadable: string })

export type Resolution =
  | {
      readonly ok: true
      readonly config: Config
      /** As given, for `--print-config`, so that derived values stay derived. */
      readonly settings: Settings
      readonly warnings: readonly string[]
    }
  | { readonly ok: false; readonly problems: readonly string[]; readonly warnings: readonly string[] }

/** What the command line asks for, known before the file is read. */
export type Asked = {
  readonly wish: 'help' | 'version' | 'print-config' | 'run'
  /** The TOML file to read. If it is `required` and missing, pass it to `resolve` as `unreadable`. */
  readonly file: { readonly path: string; readonly required: boolean } | null
}

export function askedOf(argv: readonly string[]): Asked {
  const { program } = valuesOf(programRows, readFlags(argv).given) as { program: ProgramSettings }
  return { wish: wishOf(program), file: fileOf(program) }
}

/** @returns the configuration, or one line for each problem in any source */
export function resolve({ argv, env, file, nodeId }: Sources): Resolution {
  const readings = [readFile(file), readEnv(env), readFlags(argv)]
  const given = readings.flatMap(reading => reading.given)
  const doubtful = new Set(given.filter(isBad).map(each => nameOf(each.row)))
  const settings = valuesOf(rows, given) as Settings
  const config = settle(settings, nodeId)
  const problems = [...readings.flatMap(problemsOf), ...broken(rules, config, doubtful)]
  const warnings = [...given.flatMap(oldSpelling), ...broken(cautions, config, doubtful)]
  return problems.length > 0 ? { ok: false, problems, warnings } : { ok: true, config, settings, warnings }
}

function wishOf({ help, version, printConfig }: ProgramSettings): Asked['wish'] {
  if (help) return 'help'
  if (version) return 'version'
  return printConfig ? 'print-config' : 'run'
}

function fileOf({ configPath, ignoreConfigPath }: ProgramSettings): Asked['file'] {
  if (ignoreConfigPath) return null
  return { path: configPath ?? './ocpp-cable.toml', required: configPath !== null }
}

function readFile(file: ConfigFile | null): Reading {
  if (file === null) return { given: [], problems: [] }
  if ('unreadable' in file) return { given: [], problems: [`${file.path}: ${file.unreadable}`] }
  return readToml(file.text, file.path)
}

/** The defaults, overridden by the valid given values in order. Callers cast the result to the table's types. */
function valuesOf(table: readonly Row[], given: readonly Given[]): Record<string, Record<string, unknown>> {
  const values: Record<string, Record<string, unknown>> = {}
  for (const { group, key, option } of table) (values[group] ??= {})[key] = option.default
  for (const { row, value } of given) {
    const inGroup = values[row.group]
    if (inGroup !== undefined && value !== undefined) inGroup[row.key] = value
  }
  return values
}

function problemsOf({ given, problems }: Reading): string[] {
  return [...problems, ...given.flatMap(each => each.problems)]
}

function isBad({ problems }: Given): boolean {
  return problems.length > 0
}

function oldSpelling({ from, insteadOf }: Given): string[] {
  return insteadOf === null ? [] : [`${from}: deprecated spelling; use ${insteadOf}`]
}

function broken(table: readonly Rule[], config: Config, doubtful: ReadonlySet<string>): string[] {
  return table
    .filter(rule => !rule.of.some(flag => doubtful.has(flag)))
    .map(rule => rule.broken(config))
    .filter(line => line !== null)
}
