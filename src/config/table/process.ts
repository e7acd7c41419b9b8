/**
 * The process's side of the option table: its end, its log and metrics, and what the command line alone can say.
 *
 * Pure.
 */
import { duration, file, hostName, integer, oneOf, onOff, optional, path, port, second, text } from '../kinds.ts'
import { group, option } from '../option.ts'

const metricName = text('letters, digits, _ and :, no digit first', /^[A-Za-z_:][\w:]*$/, '<name>')
const nodeName = text('a text without white space', /^\S+$/, '<name>')

export const lifecycle = group('Lifecycle', {
  disconnectMode: option(
    oneOf('auto', 'always', 'never'),
    'auto',
    'Whether the app is told that a station has left. auto and always: of each that it had let in. never: the app is left to find out.',
    { flag: 'disconnect_mode', toml: 'app.disconnect_mode' },
  ),
  disconnectRate: option(integer({ min: 1 }), 100, 'How many stations that have left the app is told of per second.', {
    flag: 'disconnect_rate',
    toml: 'disconnector.rate',
  }),
  disconnectBacklogSize: option(
    integer({ min: 1 }),
    4096,
    'How many stations that have left may wait for the app to be told; further ones are counted as lost.',
    { flag: 'disconnect_backlog_size', toml: 'disconnector.backlog' },
  ),
  shutdownTimeoutMs: option(
    duration({ bare: 's' }),
    30 * second,
    'How long the end may take after SIGTERM: open calls are finished, stations closed, and the app told. Then the process ends in any case.',
    { flag: 'shutdown_timeout', toml: 'app.shutdown_timeout' },
  ),
  shutdownDelayMs: option(
    duration({ bare: 's' }),
    0,
    'How long after SIGTERM stations are still served as before, while readiness already says no; it is a part of shutdown_timeout.',
    { flag: 'shutdown_delay', toml: 'app.shutdown_delay' },
  ),
  slowDrain: option(
    onOff,
    false,
    'Whether stations are closed one after another, spread over shutdown_timeout, and not all at once.',
    { flag: 'shutdown_slowdrain', toml: 'app.shutdown_slowdrain' },
  ),
})

export const log = group('Log', {
  level: option(oneOf('debug', 'info', 'warn', 'error'), 'info', 'The least level that is written.', {
    toml: 'logging.level',
  }),
  format: option(oneOf('text', 'json'), 'text', 'Lines for people, or one JSON object a line.', {
    toml: 'logging.format',
  }),
  debug: option(onOff, false, 'Sets log_level to debug.', { flag: 'debug', toml: 'logging.debug' }),
})

export const metrics = group('Metrics', {
  httpPath: option(
    optional(path),
    null,
    'The path that serves metrics for Prometheus, such as /metrics. It needs metrics_port; without it, none are served.',
    { flag: 'metrics_http' },
  ),
  host: option(hostName, 'localhost', 'The address to listen on for metrics.'),
  port: option(port, 0, "The port to listen on for metrics, which is never the stations'. 0 is not set."),
  prefix: option(
    metricName,
    'ocpp_cable_',
    "What the name of each metric begins with; anycable_go_ fits AnyCable's dashboards.",
  ),
})

export const node = group('Node', {
  id: option(
    optional(nodeName),
    null,
    'The name of this process in logs. When empty it is a random one, made at each start.',
    {
      toml: 'node_id',
    },
  ),
})

export const program = group('Program', {
  configPath: option(
    optional(file),
    null,
    'The TOML file to read; it must be there. When empty: ./ocpp-cable.toml, if that is there.',
    {
      flag: 'config-path',
    },
  ),
  ignoreConfigPath: option(onOff, false, 'Reads no TOML file.', { flag: 'ignore-config-path' }),
  printConfig: option(onOff, false, 'Prints the configuration as a TOML file, with no secret in it, and ends.', {
    flag: 'print-config',
  }),
  help: option(onOff, false, 'Prints this page and ends.', { flag: 'help', alsoFlag: 'h' }),
  version: option(onOff, false, 'Prints the version and ends.', { flag: 'version', alsoFlag: 'v' }),
})
