/**
 * docs/metrics.md, made from the table of metrics.
 *
 * Pure: one text.
 */
import { table, type Row, type Values } from '../src/ops/metrics.ts'

/** In the form that prettier keeps. */
export function metricsPage(): string {
  const rows = Object.entries<Row<string>>(table)
  const cells = rows.map(([name, { type, help, labels }]) => [
    `\`${name}\``,
    type,
    help,
    quotedList(Object.keys(labels)),
  ])
  return `# Metrics

Served at \`--metrics_http\` on \`--metrics_port\`, in Prometheus' text format. In front of each name stands
\`--metrics_prefix\`: \`ocpp_cable_\`, or \`anycable_go_\` for the dashboards of AnyCable. A client is a charging station.

${markdownTable([['Name', 'Type', 'What it says', 'Labels'], ...cells])}

## Labels

${labelLines(rows).join('\n')}
`
}

/** A line for each label, and one more where two metrics have it with different values. */
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
