/**
 * Generates docs/metrics.md from the metrics table.
 *
 * Pure.
 */
import { table, type Row, type Values } from '../src/ops/metric-table.ts'

/** The page, formatted as prettier formats it. */
export function metricsPage(): string {
  const rows = Object.entries<Row<string>>(table)
  const cells = rows.map(([name, { type, help, labels }]) => [
    `\`${name}\``,
    type,
    help,
    quotedList(Object.keys(labels)),
  ])
  return `# Metrics

Metrics are served at \`--metrics_http\` on \`--metrics_port\`, in Prometheus' text format. Every name is prefixed with
\`--metrics_prefix\`: \`ocpp_cable_\` by default, or \`anycable_go_\` for AnyCable's dashboards. \`--metrics_tags\` adds labels to
all of them. A client is a charging station.

${markdownTable([['Name', 'Type', 'Description', 'Labels'], ...cells])}

## StatsD and the log

With \`--statsd_host=HOST:8125\`, the metrics also go to StatsD by UDP, and with \`--metrics_log\`, to the log as a line of level
info with the message \`metrics\`: every 15 s (\`metrics_rotate_interval\`), and once more when the bridge stops. As in AnyCable, a
counter is what it counted in that interval, and a gauge is its value. A histogram is two counters, \`…_count\` and
\`…_sum\`: the sum divided by the count is the mean of the interval. Only Prometheus gets the buckets, for percentiles.

- StatsD gets labels and \`metrics_tags\` as tags, written as \`statsd_tags_format\` says. Each name begins with
  \`statsd_prefix\`: \`ocpp_cable.\` by default, or \`anycable_go.\` for AnyCable's dashboards. A counter that did not grow is
  not sent.
- The log has names without a prefix, and no labels: a counter is the sum of its series, and a gauge with labels is left
  out. \`metrics_log_filter\` names the only ones to log.

StatsD itself, from 0.9, reads tags as \`datadog\` and \`graphite\` write them; Telegraf reads \`influxdb\`, and \`datadog\` with
\`datadog_extensions\`. A server that is away costs a warning every ten minutes, and the counts of that time.

## Labels

${labelLines(rows).join('\n')}
`
}

/** One line per label, or several for a label whose values differ between metrics. */
function labelLines(rows: readonly (readonly [string, Row<string>])[]): string[] {
  const uses = rows.flatMap(([name, { labels }]) => Object.entries(labels).map(each => [name, ...each] as const))
  const lines = uses.map(([name, label, values]) => {
    const isOne = uses.every(([, other, otherValues]) => other !== label || textOf(otherValues) === textOf(values))
    return `- \`${label}\`${isOne ? '' : ` of \`${name}\``}: ${textOf(values)}`
  })
  return [...new Set(lines)]
}

function textOf(values: Values): string {
  if (typeof values === 'string') return values
  if (values instanceof Array) return quotedList(values)
  const meanings = Object.entries(values).map(([value, meaning]) => `\n  - \`${value}\`: ${meaning}`)
  return `one of${meanings.join('')}`
}

function quotedList(values: readonly string[]): string {
  return values.map(value => `\`${value}\``).join(', ')
}

function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows
  const widths = head.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map(width => '-'.repeat(width))), ...body.map(line)].join('\n')
}
