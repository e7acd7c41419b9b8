/**
 * The process's part of the option table: shutdown, log, traces, and the options that only the command line has.
 *
 * Pure.
 */
import { duration, file, integer, oneOf, onOff, optional, second, text } from '../kinds.ts'
import { group, option } from '../option.ts'

const nodeName = text('text without whitespace', /^\S+$/, '<name>')

export const lifecycle = group('Lifecycle', {
  disconnectMode: option(
    oneOf('auto', 'always', 'never'),
    'auto',
    'Whether to call Disconnect in the app when a station leaves. auto and always: for every station that the app accepted. never: for none.',
    { flag: 'disconnect_mode', toml: 'app.disconnect_mode' },
  ),
  disconnectRate: option(integer({ min: 1 }), 100, 'Limit on Disconnect calls per second.', {
    flag: 'disconnect_rate',
    toml: 'disconnector.rate',
  }),
  disconnectBacklogSize: option(
    integer({ min: 1 }),
    4096,
    'Limit on queued Disconnect calls; those beyond it are dropped and counted as lost.',
    { flag: 'disconnect_backlog_size', toml: 'disconnector.backlog' },
  ),
  shutdownTimeoutMs: option(
    duration({ bare: 's' }),
    30 * second,
    'How long shutdown may take after SIGTERM: answering open calls, closing stations and sending Disconnect calls. After that, the process exits in any case.',
    { flag: 'shutdown_timeout', toml: 'app.shutdown_timeout' },
  ),
  shutdownDelayMs: option(
    duration({ bare: 's' }),
    0,
    'How long to keep serving stations after SIGTERM while the readiness check already fails; it is part of shutdown_timeout.',
    { flag: 'shutdown_delay', toml: 'app.shutdown_delay' },
  ),
  slowDrain: option(
    onOff,
    false,
    'Whether to spread the closing of stations over shutdown_timeout instead of closing them all at once.',
    { flag: 'shutdown_slowdrain', toml: 'app.shutdown_slowdrain' },
  ),
})

export const state = group('State', {
  dir: option(
    optional(file),
    null,
    'Directory on a local disk that keeps what a restart would forget; it is made if it is missing. Each bridge needs its own. When empty, nothing is kept.',
  ),
})

export const log = group('Log', {
  level: option(oneOf('debug', 'info', 'warn', 'error'), 'info', 'Lowest level that is logged.', {
    toml: 'logging.level',
  }),
  format: option(oneOf('text', 'json'), 'text', 'Log format: lines for people, or one JSON object per line.', {
    toml: 'logging.format',
  }),
  sensitive: option(
    onOff,
    false,
    'Whether the log, the history and the streams of the admin API show idTags, keys and certificates in frames. If false, they are masked. Passwords of stations (Authorization, Cookie) are never shown.',
    { toml: 'logging.sensitive' },
  ),
  debug: option(onOff, false, 'Sets log_level to debug.', { flag: 'debug', toml: 'logging.debug' }),
})

export const traces = group('Traces', {
  enabled: option(
    onOff,
    false,
    'Whether to send a span for each message of a station, each command to it and each RPC to an OpenTelemetry collector; needs the packages @opentelemetry/api and @opentelemetry/sdk-node, whose variables (OTEL_EXPORTER_OTLP_ENDPOINT and others) configure it.',
    { flag: 'traces' },
  ),
})

export const node = group('Node', {
  id: option(
    optional(nodeName),
    null,
    'Name of this process in the log. When empty, a random name is generated at each start.',
    {
      toml: 'node_id',
    },
  ),
})

export const program = group('Program', {
  configPath: option(
    optional(file),
    null,
    'TOML file to read; it must exist. When empty: ./ocpp-cable.toml, if it exists.',
    {
      flag: 'config-path',
    },
  ),
  ignoreConfigPath: option(onOff, false, 'Reads no TOML file.', { flag: 'ignore-config-path' }),
  printConfig: option(onOff, false, 'Prints the configuration as a TOML file, without secrets, and exits.', {
    flag: 'print-config',
  }),
  help: option(onOff, false, 'Prints this help and exits.', { flag: 'help', alsoFlag: 'h' }),
  version: option(onOff, false, 'Prints the version and exits.', { flag: 'version', alsoFlag: 'v' }),
})
