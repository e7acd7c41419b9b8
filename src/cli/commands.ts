/**
 * The table of subcommands. Dispatch, `--help`, the completion of shells and docs/cli.md derive from it; a new subcommand
 * is a row here, and the file that runs it.
 *
 * The files are loaded when a command runs: the bridge also runs where SQLite is not installed.
 */
import { versions } from '../ocpp/version.ts'
import { command, type Argument, type Command } from './command.ts'
import * as flags from './flags.ts'

const glob: Argument = { name: 'GLOB', isOptional: true }
const id: Argument = { name: 'ID' }
const action: Argument = { name: 'ACTION' }

const globDetail =
  'GLOB is a station id in which * stands for any text and ? for one character. Quote it for the shell.'

export const commands: readonly Command[] = [
  command({
    name: 'check',
    about: 'Checks everything that the bridge needs, before the first station.',
    details: [
      'Takes the flags, variables and TOML file of the bridge, and opens nothing that stays open. Each line is ok, warn, fail or skip, with the fix.',
      'With --station, the app sees a station connect and disconnect.',
    ],
    args: [],
    flags: flags.check,
    takesBridgeFlags: true,
    exits: [[1, 'at least one line is fail']],
    examples: ['ocpp-cable check --rpc_host=localhost:50051 --station=CP1 --password=secret'],
    load: () => import('./check/check.ts'),
  }),
  command({
    name: 'validate',
    about: 'Validates a payload against the official schema of OCPP.',
    details: [
      'Reads the payload from FILE, or from standard input. Prints one line for each violation: its path, its rule, and what was found. For test suites of apps.',
    ],
    args: [
      { name: 'VERSION', words: Object.values(versions).map(({ number }) => number) },
      action,
      { name: 'request|response', words: ['request', 'response'] },
      { name: 'FILE', isOptional: true },
    ],
    flags: flags.none,
    exits: [[1, 'the payload is invalid']],
    examples: [`echo '{"connectorId":"1"}' | ocpp-cable validate 1.6 UnlockConnector request`],
    load: () => import('./validate.ts'),
  }),
  command({
    name: 'completion',
    about: 'Prints the completion script of a shell.',
    args: [{ name: 'SHELL', words: ['bash', 'zsh', 'fish'] }],
    flags: flags.none,
    examples: [
      'source <(ocpp-cable completion bash)',
      'ocpp-cable completion zsh > "${fpath[1]}/_ocpp-cable"',
      'ocpp-cable completion fish > ~/.config/fish/completions/ocpp-cable.fish',
    ],
    load: () => import('./completion.ts'),
  }),
]

void globDetail
void glob
void id

export function commandNamed(name: string): Command | undefined {
  return commands.find(each => each.name === name)
}
