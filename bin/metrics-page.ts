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
\`--metrics_prefix\`: \`ocpp_cable_\` by default, or \`anycable_go_\` for AnyCable's dashboards. A client is a charging
station.

${markdownTable([['Name', 'Type', 'Description', 'Labels'], ...cells])}

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
