/**
 * The table of subcommands. Dispatch, `--help`, the completion of shells and docs/cli.md derive from it; a new
 * subcommand is a row here, and the file that runs it.
 *
 * The files are loaded when a command runs: the bridge also runs where SQLite is not installed.
 */
import { versions } from '../ocpp/version.ts'
import { command, type Argument, type Command } from './command.ts'
import * as flags from './flags.ts'
import { callExits } from './stations/call-exits.ts'

const glob: Argument = { name: 'GLOB', isOptional: true }
const id: Argument = { name: 'ID' }
const action: Argument = { name: 'ACTION' }

const globDetail =
  'GLOB is the id of a station, in which * stands for any text and ? for one character; quote it for the shell.'
const allActions: readonly string[] = [
  ...new Set(Object.values(versions).flatMap(({ toStation }) => [...toStation])),
].sort()

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
    load: async () => (await import('./check/check.ts')).run,
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
    load: async () => (await import('./validate.ts')).run,
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
    load: async () => (await import('./completion.ts')).run,
  }),
  command({
    name: 'stations',
    about: 'Lists stations: connected ones, and those that have left.',
    details: [
      globDetail,
      'On a terminal it prints a table. Otherwise each line has these cells, with tabs between them: id, state, version, address, connected at, last message at, sn, left at, left because; with --state=troubled also what is wrong, the worst first.',
    ],
    args: [glob],
    flags: flags.stations,
    examples: ["ocpp-cable stations 'DE-*' --state=connected", 'ocpp-cable stations --watch'],
    load: async () => (await import('./stations/stations.ts')).run,
  }),
  command({
    name: 'station',
    about: 'Shows all that is known of a station, the last errors first.',
    args: [id],
    flags: flags.station,
    examples: ['ocpp-cable station CP1'],
    load: async () => (await import('./stations/station.ts')).run,
  }),
  command({
    name: 'tail',
    about: 'Shows frames as they pass, a CALL and its answer on adjacent lines.',
    details: [
      globDetail,
      'A CALL without an answer is shown after 5 s. The arrow → comes from the station, ← goes to it. Frames are redacted and cut as in the log. NO_COLOR turns colours off.',
    ],
    args: [glob],
    flags: flags.tail,
    examples: ['ocpp-cable tail CP1', 'ocpp-cable tail --errors', 'ocpp-cable tail --action=StartTransaction --json'],
    load: async () => (await import('./stations/tail.ts')).run,
  }),
  command({
    name: 'call',
    about: 'Sends a command to a station, and prints what it answers.',
    details: [
      'PAYLOAD is JSON, @FILE for a file, or - for standard input; {} if it is left out. The payload of the CALLRESULT goes to standard output, a failure to standard error. The app gets its ack or error, too.',
    ],
    args: [id, { ...action, words: allActions }, { name: 'PAYLOAD', isOptional: true }],
    flags: flags.call,
    exits: callExits.map(({ code, meaning }) => [code, meaning] as const),
    examples: [
      `ocpp-cable call CP1 Reset '{"type":"Soft"}'`,
      'ocpp-cable call CP1 SetChargingProfile @profile.json --timeout=1m',
    ],
    load: async () => (await import('./stations/call.ts')).run,
  }),
  command({
    name: 'disconnect',
    about: 'Closes the connection of a station, which then connects again by itself.',
    args: [id],
    flags: flags.disconnect,
    examples: ["ocpp-cable disconnect CP1 --reason='new certificate'"],
    load: async () => (await import('./stations/disconnect.ts')).run,
  }),
  command({
    name: 'log',
    about: 'Logs the frames of stations for a time, whatever log_level is.',
    details: [globDetail, 'LEVEL is debug for every frame, redacted; default ends that.'],
    args: [{ name: 'GLOB' }, { name: 'LEVEL', words: ['debug', 'default'] }],
    flags: flags.log,
    examples: ['ocpp-cable log CP1 debug --for 10m'],
    load: async () => (await import('./stations/log.ts')).run,
  }),
  command({
    name: 'outbox',
    about: 'Lists and changes the transaction messages that wait in state_dir for the app.',
    details: [
      'list prints one line for each message: number, station, version, action, when it was stored, attempts, state and error, with tabs between them. show and export print messages with their payloads, one line of JSON each. retry makes dead letters pending again, and ends the wait of messages that are. drop deletes messages: the app never gets them.',
      'Asks the bridge that runs, if its admin API is on. Otherwise it reads the directory; retry and drop then need a bridge that is stopped, and say which bridge or directory they changed. Flags override variables, and variables the file: --state_dir beats ANYCABLE_ADMIN_URL, which beats ANYCABLE_STATE_DIR and state_dir in the TOML file.',
    ],
    args: [
      { name: 'list|show|export|retry|drop', words: ['list', 'show', 'export', 'retry', 'drop'] },
      { name: 'NUMBER', isOptional: true, isMany: true },
    ],
    flags: flags.outbox,
    takesBridgeFlags: true,
    examples: [
      'ocpp-cable outbox list',
      'ocpp-cable outbox retry 12 13',
      'ocpp-cable outbox drop all --state_dir=/var/lib/ocpp-cable',
    ],
    load: async () => (await import('./outbox.ts')).run,
  }),
  command({
    name: 'auth',
    about: 'Lists and changes the keys of stations in ocpp_auth_file.',
    details: [
      'add makes a key for a station, stores its hash, and prints the key once. rotate adds a new key; those before it stay valid until the station has accepted or used the new one. remove deletes a station: it gets 404 from then on. list prints the stations. check reads the whole file; with ID, it compares the key on standard input.',
      'A bridge that runs reads the file within seconds, or at SIGHUP.',
    ],
    args: [
      { name: 'add|rotate|remove|list|check', words: ['add', 'rotate', 'remove', 'list', 'check'] },
      { name: 'ID', isOptional: true },
    ],
    flags: flags.auth,
    takesBridgeFlags: true,
    examples: [
      'ocpp-cable auth add CP1 --ocpp_auth_file=/etc/ocpp-cable/keys',
      'ocpp-cable auth rotate CP1 --ocpp_version=2.0.1',
    ],
    load: async () => (await import('./auth/auth.ts')).run,
  }),
]
