/**
 * The metrics' part of the option table: where they are served, logged and sent.
 *
 * Pure.
 */
import { statsdAddress } from '../addresses.ts'
import { bytes, duration, hostName, listOf, oneOf, onOff, optional, path, port, second, tags, text } from '../kinds.ts'
import { group, option } from '../option.ts'

const metricName = text('letters, digits, _ and :, not starting with a digit', /^[A-Za-z_:][\w:]*$/, '<name>')
const statsdPrefix = text('letters, digits, ., _ and -, or nothing', /^[\w.-]*$/, '<prefix>')
/** UDP carries no more. */
const maxDatagram = 65_507

export const metrics = group('Metrics', {
  httpPath: option(
    optional(path),
    null,
    'Path that serves metrics for Prometheus, such as /metrics; needs metrics_port. When empty, no metrics are served.',
    { flag: 'metrics_http' },
  ),
  host: option(hostName, 'localhost', 'Address to listen on for metrics.'),
  port: option(port, 0, "Port to listen on for metrics; must differ from the stations' port. 0 means not set."),
  prefix: option(metricName, 'ocpp_cable_', "Prefix of every metric name; anycable_go_ fits AnyCable's dashboards."),
  tags: option(
    tags,
    {},
    'Tags of every metric, such as env:production: labels for Prometheus, tags for StatsD. The log has none.',
  ),
  log: option(onOff, false, 'Whether to log the metrics at level info, every metrics_rotate_interval.'),
  logFilter: option(listOf(metricName), [], 'The only metrics to log, without their prefix. When empty: all.'),
  rotateIntervalMs: option(
    duration({ bare: 's', minMs: second }),
    15 * second,
    'How often metrics are logged, and sent to StatsD.',
  ),
})

export const statsd = group('StatsD', {
  host: option(
    optional(statsdAddress),
    null,
    'Address of the StatsD server that gets the metrics by UDP, every metrics_rotate_interval. When empty, nothing is sent.',
    { toml: 'metrics.statsd.host' },
  ),
  prefix: option(
    statsdPrefix,
    'ocpp_cable.',
    "Prefix of every name for StatsD; anycable_go. fits AnyCable's dashboards.",
    {
      toml: 'metrics.statsd.prefix',
    },
  ),
  tagsFormat: option(
    oneOf('datadog', 'influxdb', 'graphite'),
    'datadog',
    'How labels and metrics_tags are written: name:1|c|#a:b (datadog), name,a=b:1|c (influxdb) or name;a=b:1|c (graphite).',
    { toml: 'metrics.statsd.tags_format' },
  ),
  maxPacketSize: option(bytes({ min: 512, max: maxDatagram }), 1400, 'Largest UDP packet to StatsD.', {
    toml: 'metrics.statsd.max_packet_size',
  }),
})
