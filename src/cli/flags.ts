/**
 * The flags of the subcommands.
 *
 * Pure. A flag that the bridge has as an option, too, has the same name, and is read from the same variable.
 */
import { stateFilters } from '../admin/answers.ts'
import { limits } from '../admin/limits.ts'
import { duration, file, oneOf, onOff, optional, second, text, token } from '../config/kinds.ts'
import { option, type Kind } from '../config/option.ts'
import { version } from '../config/table/ocpp.ts'

const httpUrl: Kind<string> = text(
  'an http:// or https:// URL, without user and query',
  /^https?:\/\/[^\s/?#@]+\/?$/,
  '<url>',
)
const json = option(onOff, false, 'Prints the answer of the admin API, as JSON.', { flag: 'json' })

/** Where the admin API is. */
export const connection = {
  adminUrl: option(
    optional(httpUrl),
    null,
    'URL of the admin API of a bridge. When empty: the bridge on this machine, found by the file that it writes into $XDG_RUNTIME_DIR/ocpp-cable (ocpp-cable-UID in the directory for temporary files, where that is not set), and into its state_dir.',
    { flag: 'admin_url' },
  ),
  adminToken: option(
    optional(token),
    null,
    'admin_token of the bridge; its admin_read_token is enough for commands that change nothing.',
    { flag: 'admin_token' },
  ),
  stateDir: option(
    optional(file),
    null,
    'state_dir of the bridge on this machine: finds a bridge that another user runs. Excludes --admin_url, and beats its variable.',
    { flag: 'state_dir' },
  ),
}

/** Read from `ANYCABLE_…`, too. */
export const envFlags: ReadonlySet<string> = new Set(['admin_url', 'admin_token', 'state_dir'])

/** Each of them says which bridge is meant; see `readArguments`. */
export const placeFlags: ReadonlySet<string> = new Set(['admin_url', 'state_dir'])

export const stations = {
  state: option(
    optional(oneOf(...stateFilters)),
    null,
    'Only stations in this state; connected: in any state but disconnected and refused; troubled: any station with a trouble now or in the last hour.',
    { flag: 'state' },
  ),
  json: option(onOff, false, 'Prints one line of JSON for each station.', { flag: 'json' }),
  watch: option(onOff, false, 'Shows the table again each second, until Ctrl-C.', { flag: 'watch' }),
  ...connection,
}

export const station = { json, ...connection }

export const tail = {
  action: option(optional(text('the name of an action', /^\w+$/, '<action>')), null, 'Only frames of this action.', {
    flag: 'action',
  }),
  errors: option(
    onOff,
    false,
    'Only errors, with their CALLs: CALLERRORs, answers that refuse a card, and messages that cannot be read.',
    { flag: 'errors' },
  ),
  json: option(onOff, false, 'Prints one line of JSON for each frame.', { flag: 'json' }),
  ...connection,
}

export const call = {
  timeout: option(
    optional(duration({ bare: 's', minMs: second, maxMs: limits.callSeconds * second })),
    null,
    'How long to wait for the station. When empty, ocpp_call_timeout of the bridge.',
    { flag: 'timeout' },
  ),
  json,
  ...connection,
}

export const disconnect = {
  reason: option(
    optional(text('text of at most 100 characters, none of them a control character', /^\P{Cc}{1,100}$/u)),
    null,
    'What the station reads as the reason.',
    { flag: 'reason' },
  ),
  ...connection,
}

export const log = {
  for: option(
    duration({ bare: 's', minMs: second, maxMs: limits.watchSeconds * second }),
    600 * second,
    'For how long.',
    {
      flag: 'for',
    },
  ),
  ...connection,
}

export const outbox = {
  adminUrl: connection.adminUrl,
  adminToken: connection.adminToken,
}

export const check = {
  station: option(
    optional(text('the id of a station', /^\P{Cc}+$/u, '<id>')),
    null,
    'A station of the app: the check calls Connect for it, and Disconnect. It must not be connected. When empty, the check only connects to the app.',
    { flag: 'station' },
  ),
  password: option(optional(token), null, 'The password of that station, for HTTP Basic (security profiles 1 and 2).', {
    flag: 'password',
  }),
  json: option(onOff, false, 'Prints one line of JSON for each check.', { flag: 'json' }),
}

export const auth = {
  ocppVersion: option(
    version,
    'ocpp1.6',
    'Form of the new key. 1.6: 40 hexadecimal digits, for 20 bytes. Otherwise: 32 letters and digits.',
    {
      flag: 'ocpp_version',
    },
  ),
  stdin: option(onOff, false, 'Reads the key of add or rotate from standard input, instead of making one.', {
    flag: 'stdin',
  }),
}

export const none = {}
