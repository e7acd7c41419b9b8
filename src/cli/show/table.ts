/**
 * Tables: aligned for people, tab-separated for programs.
 *
 * Pure.
 */
import { escaped } from './escape.ts'

type Row = readonly string[]

/** @param columns of the screen: longer lines are cut; `Infinity` for no limit */
export function aligned(header: Row, rows: readonly Row[], columns = Infinity): string[] {
  const lines = [header, ...rows.map(row => row.map(cell => escaped(cell)))]
  const widths = header.map((_, at) => Math.max(...lines.map(line => lengthOf(line[at] ?? ''))))
  return lines.map(line => {
    const cells = line.map((cell, at) => cell + ' '.repeat((widths[at] ?? 0) - lengthOf(cell)))
    return cut(cells.join('  ').trimEnd(), columns)
  })
}

/** One line with a tab between cells. */
export function tabbed(row: Row): string {
  return row.map(cell => escaped(cell)).join('\t')
}

/** In characters, not in UTF-16. */
function lengthOf(text: string): number {
  return Array.from(text).length
}

function cut(line: string, columns: number): string {
  return lengthOf(line) <= columns
    ? line
    : `${Array.from(line)
        .slice(0, columns - 1)
        .join('')}…`
}
