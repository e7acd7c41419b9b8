/**
 * The results as a table.
 */
import { markdownTable } from '../../bench/table.ts'
import { p99Of, type Result } from './result.ts'

const head = [
  'attack',
  'p99 quiet → during, ms',
  'ratio',
  'errors of calls',
  'RSS before / peak / after, MiB',
  'descriptors before / after',
  'log lines',
  'how its connections ended',
]
const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)
const grouped = (count: number): string => count.toLocaleString('en-US')

export function tableOf(results: readonly Result[]): string {
  const rows = results.map(({ attack, quiet, during, ends, rss, before, after, lines }) => [
    attack.name,
    `${p99Of(quiet).toFixed(1)} → ${p99Of(during).toFixed(1)}`,
    (p99Of(during) / p99Of(quiet)).toFixed(1),
    `${during.errors} of ${grouped(during.took.length)}`,
    `${mebibytes(rss.before)} / ${mebibytes(rss.peak)} / ${mebibytes(rss.after)}`,
    `${before.files} / ${after.files}`,
    grouped(lines),
    Object.entries(ends)
      .sort(([, one], [, other]) => other - one)
      .map(([end, count]) => `${end}: ${grouped(count)}`)
      .join(', '),
  ])
  return markdownTable(head, rows)
}
