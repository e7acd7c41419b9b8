/**
 * The option table as text: `--help`, `--print-config`, docs/configuration.md.
 *
 * Pure.
 */
import { stringify } from 'smol-toml'
import { nameOf, rowsOf, textOf, type Group, type Row, type TomlValue } from './option.ts'
import { groups, programGroups, rows, type Settings } from './options.ts'
import type { Config } from './rules.ts'

const width = 100

type Values = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/**
 * The output of `--help`, at most 100 columns wide unless a single word is longer.
 *
 * @param commands the lines about the subcommands
 */
export function helpText(commands: readonly string[]): string {
  return [
    'Usage: ocpp-cable [--flag=value …]',
    '       ocpp-cable COMMAND …',
    '',
    ...commands,
    '',
    ...wrapped(usage, ''),
    ...sectionsOf({ ...groups, ...programGroups }).flatMap(({ title, rows }) => ['', title, ...rows.flatMap(helpFor)]),
    '',
  ].join('\n')
}

/**
 * The configuration as a TOML file that reads back as the same configuration; secrets are commented out.
 *
 * @param settings  as given, so that derived values still derive when the file is edited
 * @param config    the resolved values; a comment shows each value that differs from the settings
 */
export function printedConfig(settings: Settings, config: Config): string {
  const plain = rows.filter(row => !isTable(row))
  const sections = new Set(['', ...plain.map(row => tomlPathOf(row).section)])
  return [
    ...[...sections].flatMap(section => [
      ...(section === '' ? [] : [`[${section}]`]),
      ...plain.filter(row => tomlPathOf(row).section === section).flatMap(row => tomlFor(row, settings, config)),
      '',
    ]),
    ...rows.filter(isTable).flatMap(row => [...tableFor(row, settings), '']),
  ].join('\n')
}

/** The options in effect, by name; secrets are `***`, and what is not set is `null`. */
export function shownConfig(config: Config): Readonly<Record<string, string | null>> {
  const values: Values = config
  return Object.fromEntries(
    rows.map(row => {
      const text = textOf(row.option.kind, values[row.group]?.[row.key])
      return [nameOf(row), text === '' ? null : row.option.kind.hides(text) ? '***' : text]
    }),
  )
}

/** docs/configuration.md. */
export function configurationPage(): string {
  return [
    '# Configuration',
    '',
    '<!-- Made from the option table (src/config) by `npm run docs`. -->',
    '',
    usage,
    '',
    ...pageIntroduction,
    ...sectionsOf({ ...groups, ...programGroups }).flatMap(({ title, rows }) => [
      `## ${title}`,
      '',
      ...rows.flatMap(entryFor),
    ]),
  ]
    .join('\n')
    .trimEnd()
    .concat('\n')
}

const usage =
  'Set options with flags, environment variables, or a TOML file (--config-path, or ./ocpp-cable.toml if it exists). ' +
  'Flags override variables, variables override the file, and the file overrides the defaults.'

const pageIntroduction = [
  '- Write flags as `--flag=value` or `--flag value`, with one dash or two. Write a switch as `--flag` or `--flag=false`.',
  '- An empty variable counts as unset, except for a switch, where it means false. Variables not listed here are ignored.',
  '- Unknown flags, unknown TOML keys and invalid values prevent the start, with one line for each problem.',
  '- Options that are tables have no flag and no variable; set them in the TOML file.',
  '- `--print-config` prints the resulting configuration as a TOML file, without secrets.',
  '',
]

function sectionsOf(table: Readonly<Record<string, Group>>): { title: string; rows: readonly Row[] }[] {
  return Object.entries(table).map(([name, group]) => ({ title: group.title, rows: rowsOf({ [name]: group }) }))
}

function helpFor(row: Row): string[] {
  const { kind, about } = row.option
  if (isTable(row)) {
    const facts = `[TOML file only; ${kind.accepts}; default ${defaultOf(row)}]`
    return [`  ${headOf(row)}`, ...wrapped(about, '      '), ...wrapped(facts, '      ')]
  }
  const isSwitch = kind.shape === 'switch'
  const variables = envNamesOf(row).map(name => `$${name}`)
  const facts = [
    ...(isSwitch ? [] : [kind.accepts]),
    ...(isOfProgram(row) ? [] : [`default ${defaultOf(row)}`, variables.join(', ')]),
  ]
  return [
    `  ${flagNamesOf(row).join(', ')}${isSwitch ? '' : ` ${kind.placeholder}`}`,
    ...wrapped(about, '      '),
    ...(facts.length === 0 ? [] : wrapped(`[${facts.join('; ')}]`, '      ')),
  ]
}

function entryFor(row: Row): string[] {
  return isTable(row) ? tableEntryFor(row) : plainEntryFor(row)
}

function tableEntryFor(row: Row): string[] {
  const { kind, about } = row.option
  return [
    `### ${code(headOf(row))}`,
    '',
    about,
    '',
    `- Takes ${kind.accepts}.`,
    `- Default: ${code(defaultOf(row))}`,
    '- TOML only, for example:',
    '',
    '```toml',
    ...exampleOf(row),
    '```',
    '',
  ]
}

function plainEntryFor(row: Row): string[] {
  const { kind, about } = row.option
  const { section, key } = tomlPathOf(row)
  const facts = [
    `- Takes ${kind.accepts}.`,
    `- Default: ${code(defaultOf(row))}`,
    `- Environment: ${envNamesOf(row).map(code).join(', or ')}`,
    `- TOML: ${code(key)} ${section === '' ? 'at the top level' : `in ${code(`[${section}]`)}`}`,
  ]
  const old = row.spellings.filter(spelling => spelling.old).flatMap(spelling => spelling.flag ?? [])
  return [
    `### ${flagNamesOf(row).map(code).join(', ')}`,
    '',
    about,
    '',
    ...(isOfProgram(row) ? facts.slice(0, 1) : facts),
    ...old.map(flag => `- The deprecated spelling ${code(flag)} is accepted too, with a warning.`),
    '',
  ]
}

function tomlFor(row: Row, settings: Values, config: Values): string[] {
  const { kind, about } = row.option
  const { key } = tomlPathOf(row)
  const given = settings[row.group]?.[row.key]
  const text = textOf(kind, given)
  const comment = wrapped(about, '# ')
  if (text !== '' && kind.hides(text)) return [...comment, `# ${key} = "…" (set, not shown)`]
  const written = kind.toToml(given)
  const line = written === null ? `# ${key} = "" (not set)` : stringify({ [key]: written }).trimEnd()
  const inEffect = textOf(kind, config[row.group]?.[row.key])
  return [...comment, line, ...(inEffect === text ? [] : [`# in effect: ${inEffect || 'none'}`])]
}

/** Goes at the end of the file: TOML reads any keys after a table as part of it. */
function tableFor(row: Row, settings: Values): string[] {
  const { kind, about } = row.option
  const written = kind.toToml(settings[row.group]?.[row.key])
  const lines =
    written === null
      ? ['# (not set) For example:', ...exampleOf(row).map(line => `# ${line}`.trimEnd())]
      : tableLines(row, written)
  return [...wrapped(about, '# '), ...lines]
}

function exampleOf(row: Row): string[] {
  return tableLines(row, row.option.kind.example ?? {})
}

function tableLines(row: Row, value: TomlValue): string[] {
  return stringify({ [nameOf(row)]: value })
    .trimEnd()
    .split('\n')
}

/** The table header as in the file: `[name]` or `[[name]]`. */
function headOf(row: Row): string {
  return exampleOf(row)[0] ?? nameOf(row)
}

function isTable(row: Row): boolean {
  return row.option.kind.shape === 'table'
}

function isOfProgram(row: Row): boolean {
  return row.group in programGroups
}

function defaultOf({ option }: Row): string {
  return textOf(option.kind, option.default) || 'none'
}

function flagNamesOf(row: Row): string[] {
  const names = row.spellings.flatMap(spelling => (spelling.old ? [] : (spelling.flag ?? [])))
  return names.map(name => (name.length === 1 ? `-${name}` : `--${name}`))
}

function envNamesOf(row: Row): string[] {
  return isOfProgram(row) ? [] : row.spellings.flatMap(spelling => (spelling.old ? [] : (spelling.env ?? [])))
}

function tomlPathOf(row: Row): { section: string; key: string } {
  const path = row.spellings[0].toml ?? nameOf(row)
  const dot = path.lastIndexOf('.')
  return { section: path.slice(0, Math.max(dot, 0)), key: path.slice(dot + 1) }
}

function code(text: string): string {
  return `\`${text}\``
}

/** Wraps a text at 100 columns and indents each line. */
export function wrapped(text: string, indent: string): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const line = lines.at(-1)
    if (line === undefined || indent.length + line.length + word.length + 1 > width) lines.push(word)
    else lines[lines.length - 1] = `${line} ${word}`
  }
  return lines.map(line => indent + line)
}
