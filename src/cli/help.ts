/**
 * The table of subcommands as text: the list in `--help`, the help of one command, docs/cli.md.
 *
 * Pure.
 */
import { wrapped } from '../config/help.ts'
import { nameOf, type Row } from '../config/option.ts'
import { rowsOfFlags } from './arguments.ts'
import { commonExits, type Argument, type Command, type Exit } from './command.ts'
import { envFlags } from './flags.ts'

/** `ocpp-cable call ID ACTION [PAYLOAD] [--flag=value …]` */
export function usageOf(command: Command): string {
  const hasFlags = command.takesBridgeFlags || Object.keys(command.flags).length > 0
  const flags = hasFlags ? ['[--flag=value …]'] : []
  return ['ocpp-cable', command.name, ...command.args.map(argumentText), ...flags].join(' ')
}

/** The list of commands, for the help of the program. */
export function commandList(commands: readonly Command[]): readonly string[] {
  const most = Math.max(...commands.map(({ name }) => name.length))
  return [
    'Commands',
    ...commands.map(({ name, about }) => `  ${name.padEnd(most)}  ${about}`),
    '  See ocpp-cable COMMAND --help. Without a command, the bridge starts.',
  ]
}

/** The help of one command. */
export function commandHelp(command: Command): string {
  const rows = rowsOfFlags(command.flags)
  return [
    `Usage: ${usageOf(command)}`,
    '',
    ...[command.about, ...command.details].flatMap(text => wrapped(text, '')),
    ...(rows.length === 0 && !command.takesBridgeFlags ? [] : ['', 'Flags', ...rows.flatMap(flagHelp)]),
    ...(command.takesBridgeFlags ? ['  All flags of the bridge, see ocpp-cable --help; they come last.'] : []),
    '',
    'Exit codes',
    ...exitsOf(command).map(([code, meaning]) => `  ${String(code).padEnd(3)}  ${meaning}`),
    '',
    command.examples.length === 1 ? 'Example' : 'Examples',
    ...command.examples.map(example => `  ${example}`),
    '',
  ].join('\n')
}

/** docs/cli.md. */
export function commandsPage(commands: readonly Command[]): string {
  return [
    '# Commands',
    '',
    '<!-- Made from the table of commands (src/cli/commands.ts) by `npm run docs`. -->',
    '',
    ...pageIntroduction,
    ...commands.flatMap(command => [
      `## ${command.name}`,
      '',
      ...[command.about, ...command.details].flatMap(text => [text, '']),
      '```sh',
      ...command.examples,
      '```',
      '',
      `- Usage: \`${usageOf(command)}\``,
      ...rowsOfFlags(command.flags).map(flagEntry),
      ...(command.takesBridgeFlags ? ['- All flags of the bridge; they come last.'] : []),
      ...command.exits.map(([code, meaning]) => `- Exit code ${code}: ${meaning}.`),
      '',
    ]),
  ]
    .join('\n')
    .trimEnd()
    .concat('\n')
}

const pageIntroduction = [
  'Without a command, `ocpp-cable` starts the bridge. Each command has `--help`.',
  '',
  '- Write flags as those of the bridge: `--flag=value` or `--flag value`, with one dash or two.',
  '- Most commands ask the admin API of a bridge, which needs `admin_port`. Without `--admin_url`, a command asks the bridge on this machine: each bridge writes a file at its start, and removes it at its end, in `$XDG_RUNTIME_DIR/ocpp-cable` (`ocpp-cable-UID` in the directory for temporary files, where that is not set) and in its `state_dir`. The file has the address of the admin API and the ports of the bridge, never a token.',
  '- Control characters, terminal sequences and invisible characters in what a station has sent are shown as `\\u001b`.',
  `- Exit codes of all commands: ${commonExits.map(([code, meaning]) => `${code} ${meaning}`).join('; ')}.`,
  '',
]

export function exitsOf({ exits }: Command): readonly Exit[] {
  const own = new Set(exits.map(([code]) => code))
  return [...commonExits.filter(([code]) => !own.has(code)), ...exits].toSorted(([one], [other]) => one - other)
}

function argumentText({ name, isOptional, isMany }: Argument): string {
  const text = isMany === true ? `${name}…` : name
  return isOptional === true ? `[${text}]` : text
}

function flagHelp(row: Row): string[] {
  const { kind, about } = row.option
  const name = nameOf(row)
  const facts = [
    ...(kind.shape === 'switch' ? [] : [kind.accepts]),
    ...(envFlags.has(name) ? [`$${row.spellings[0].env ?? ''}`] : []),
  ].join('; ')
  return [
    `  --${name}${kind.shape === 'switch' ? '' : ` ${kind.placeholder}`}`,
    ...wrapped(about, '      '),
    ...(facts === '' ? [] : wrapped(`[${facts}]`, '      ')),
  ]
}

function flagEntry(row: Row): string {
  const { kind, about } = row.option
  const name = nameOf(row)
  const value = kind.shape === 'switch' ? '' : `=${kind.placeholder}`
  const variable = envFlags.has(name) ? ` Environment: \`${row.spellings[0].env ?? ''}\`.` : ''
  return `- \`--${name}${value}\`: ${about}${variable}`
}
