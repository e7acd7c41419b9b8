/**
 * The results of several rounds as a table, formatted as prettier does.
 */

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** A quantile; NaN if there are no values. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN
}

/** The median, with the minimum and the maximum. */
export function spread(values: readonly number[]): string {
  const range = `${shown(Math.min(...values))}–${shown(Math.max(...values))}`
  return values.length === 1 ? shown(median(values)) : `${shown(median(values))} (${range})`
}

/** The median of the ratios of each round. */
export function ratio(values: readonly number[], to: readonly number[]): string {
  return `${median(values.map((value, round) => value / (to[round] ?? Number.NaN))).toFixed(2)} x`
}

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map(row => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [head, widths.map(width => '-'.repeat(width)), ...rows].map(line).join('\n')
}

/** At least three digits, with commas between thousands. */
function shown(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return value.toFixed(1)
}
