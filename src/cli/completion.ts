/**
 * `ocpp-cable completion`: the completion script of a shell, derived from the table of subcommands and that of options.
 */
import { nameOf, type Row } from '../config/option.ts'
import { programRows, rows } from '../config/options.ts'
import { rowsOfFlags } from './arguments.ts'
import { exits, UsageError, type Call, type Command } from './command.ts'
import type { none } from './flags.ts'

/** A positional argument that has a fixed set of words, counted from 1. */
type Place = { readonly at: number; readonly words: readonly string[] }

const shells: Readonly<Record<string, (commands: readonly Command[]) => readonly string[]>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
}

export async function run({ words: [shell = ''], terminal, commands }: Call<typeof none>): Promise<number> {
  const script = Object.hasOwn(shells, shell) ? shells[shell] : undefined
  if (script === undefined)
    throw new UsageError(`${JSON.stringify(shell)}: expected ${Object.keys(shells).join(' or ')}`)
  await terminal.write(`${script(commands).join('\n')}\n`)
  return exits.done
}

function bashScript(commands: readonly Command[]): string[] {
  return [
    '# bash completion of ocpp-cable: source <(ocpp-cable completion bash)',
    '_ocpp_cable() {',
    '  local current=${COMP_WORDS[COMP_CWORD]} place=0 at',
    '  for ((at = 2; at <= COMP_CWORD; at++)); do',
    '    [[ ${COMP_WORDS[at]} == -* ]] || ((place += 1))',
    '  done',
    '  local words=',
    '  if ((COMP_CWORD == 1)); then place=command; fi',
    '  if [[ $current == -* ]]; then place=flag; fi',
    ...casesOf(commands, '${COMP_WORDS[1]}', '$place'),
    '  COMPREPLY=($(compgen -W "$words" -- "$current"))',
    '  if [[ ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi',
    '}',
    'complete -o default -F _ocpp_cable ocpp-cable',
  ]
}

function zshScript(commands: readonly Command[]): string[] {
  return [
    '#compdef ocpp-cable',
    '# zsh completion of ocpp-cable: ocpp-cable completion zsh > "${fpath[1]}/_ocpp-cable"',
    '_ocpp_cable() {',
    '  local current=${words[CURRENT]} place=0 at found=',
    '  for ((at = 3; at <= CURRENT; at++)); do',
    '    [[ ${words[at]} == -* ]] || ((place += 1))',
    '  done',
    '  if ((CURRENT == 2)); then place=command; fi',
    '  if [[ $current == -* ]]; then place=flag; fi',
    ...casesOf(commands, '${words[2]}', '$place').map(line => line.replaceAll('words=', 'found=')),
    '  local -a ended open',
    '  ended=(${${=found}:#*=})',
    '  open=(${(M)${=found}:#*=})',
    '  if [[ -z $found ]]; then _files; return; fi',
    '  compadd -- $ended',
    "  compadd -S '' -- $open",
    '}',
    '# From fpath, this file is the function itself.',
    'if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _ocpp_cable "$@"; else compdef _ocpp_cable ocpp-cable; fi',
  ]
}

/** The words of each place, in the syntax that bash and zsh share. */
function casesOf(commands: readonly Command[], name: string, place: string): string[] {
  const bridge = flagWords([...rows, ...programRows])
  return [
    `  case ${place}:${name} in`,
    `    command:*) words='${commands.map(each => each.name).join(' ')}' ;;`,
    ...commands.flatMap(command => [
      `    flag:${command.name}) words='${[...flagWords(rowsOfFlags(command.flags)), '--help', ...(command.takesBridgeFlags ? bridge : [])].join(' ')}' ;;`,
      ...placesOf(command).map(({ at, words }) => `    ${at}:${command.name}) words='${words.join(' ')}' ;;`),
    ]),
    `    flag:*) words='${bridge.join(' ')}' ;;`,
    '  esac',
  ]
}

function fishScript(commands: readonly Command[]): string[] {
  return [
    '# fish completion of ocpp-cable: ocpp-cable completion fish > ~/.config/fish/completions/ocpp-cable.fish',
    'function __ocpp_cable_at',
    "  set -l words (string match --invert -- '-*' (commandline --tokenize --cut-at-cursor --current-process))",
    '  test "$words[2]" = $argv[1]; and test (count $words) -eq $argv[2]',
    'end',
    'function __ocpp_cable_in',
    "  set -l words (string match --invert -- '-*' (commandline --tokenize --cut-at-cursor --current-process))",
    '  contains -- "$words[2]" $argv',
    'end',
    'function __ocpp_cable_first',
    '  test (count (commandline --tokenize --cut-at-cursor --current-process)) -eq 1',
    'end',
    ...commands.flatMap(command => [
      `complete -c ocpp-cable -f -n __ocpp_cable_first -a ${command.name} -d ${quoted(command.about)}`,
      ...rowsOfFlags(command.flags).map(row => fishFlag(row, `__ocpp_cable_in ${command.name}`)),
      ...placesOf(command).map(
        ({ at, words }) =>
          `complete -c ocpp-cable -f -n '__ocpp_cable_at ${command.name} ${at + 1}' -a ${quoted(words.join(' '))}`,
      ),
    ]),
    ...withFlags([...rows, ...programRows]).map(row =>
      fishFlag(row, `__ocpp_cable_first; or __ocpp_cable_in ${takers(commands)}`),
    ),
  ]
}

function fishFlag(row: Row, condition: string): string {
  const { kind, about } = row.option
  const value = kind.shape === 'switch' ? '' : ' -r'
  return `complete -c ocpp-cable -n ${quoted(condition)} -l ${nameOf(row)}${value} -d ${quoted(about)}`
}

function takers(commands: readonly Command[]): string {
  return commands
    .filter(each => each.takesBridgeFlags)
    .map(each => each.name)
    .join(' ')
}

function placesOf({ args }: Command): Place[] {
  return args.flatMap(({ words }, at) => (words === undefined ? [] : [{ at: at + 1, words }]))
}

/** A flag with a value ends with `=`. */
function flagWords(table: readonly Row[]): string[] {
  return withFlags(table).map(row => `--${nameOf(row)}${row.option.kind.shape === 'switch' ? '' : '='}`)
}

/** Without the tables, which only TOML has. */
function withFlags(table: readonly Row[]): Row[] {
  return table.filter(row => row.spellings[0].flag !== undefined)
}

/** In single quotes, as fish reads them. */
function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, character => `\\${character}`)}'`
}
