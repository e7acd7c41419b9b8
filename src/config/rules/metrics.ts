/**
 * Rules of the options that say where metrics are served, logged and sent.
 *
 * Pure.
 */
import type { Settings } from '../options.ts'
import { metrics as metricsTable, statsd as statsdTable } from '../table/metrics.ts'

type Metering = Pick<Settings, 'metrics' | 'statsd'>

/** Without a port, there is nowhere to serve them. */
export function metricsProblem({ metrics }: Pick<Settings, 'metrics'>): string | null {
  return metrics.httpPath === null || metrics.port !== 0
    ? null
    : "metrics_http is set, but metrics_port is not: set it, for example --metrics_port=9090 (metrics are never served on the stations' port)"
}

export function metricsPortProblem({ metrics, server }: Pick<Settings, 'metrics' | 'server'>): string | null {
  return metrics.httpPath !== null && metrics.port !== 0 && metrics.port === server.port
    ? `metrics_port is ${metrics.port}, the stations' port: set another port`
    : null
}

/** Options that are set, and do nothing. */
export const metricsCautions = [
  unused(
    ['metrics_port', 'metrics_http'],
    ({ metrics }) => metrics.port !== 0 && metrics.httpPath === null,
    'metrics_http is not: no metrics are served; set --metrics_http=/metrics',
  ),
  unused(
    ['metrics_log_filter', 'metrics_log'],
    ({ metrics }) => metrics.logFilter.length > 0 && !metrics.log,
    'metrics_log is not: no metrics are logged',
  ),
  unused(
    ['metrics_rotate_interval', 'metrics_log', 'statsd_host'],
    ({ metrics, statsd }) =>
      metrics.rotateIntervalMs !== metricsTable.options.rotateIntervalMs.default &&
      !metrics.log &&
      statsd.host === null,
    'neither metrics_log nor statsd_host is: no metrics are logged or sent',
  ),
  unused(
    ['metrics_tags', 'metrics_http', 'statsd_host'],
    ({ metrics, statsd }) => Object.keys(metrics.tags).length > 0 && metrics.httpPath === null && statsd.host === null,
    'neither metrics_http nor statsd_host is: no metric has tags',
  ),
  unusedByStatsd('statsd_prefix', 'prefix'),
  unusedByStatsd('statsd_tags_format', 'tagsFormat'),
  unusedByStatsd('statsd_max_packet_size', 'maxPacketSize'),
]

function unusedByStatsd(name: string, key: 'prefix' | 'tagsFormat' | 'maxPacketSize') {
  const initial = statsdTable.options[key].default
  return unused(
    [name, 'statsd_host'],
    ({ statsd }) => statsd.host === null && statsd[key] !== initial,
    'statsd_host is not: nothing is sent to StatsD',
  )
}

/** The unused option comes first, then the others that decide whether it is used. */
function unused([name, ...others]: readonly [string, ...string[]], is: (config: Metering) => boolean, why: string) {
  const broken = (config: Metering) => (is(config) ? `${name} is set, but ${why}` : null)
  return { of: [name, ...others], broken }
}
