/**
 * The results as a table.
 */
import { markdownTable } from '../../bench/table.ts'
import { p99Of, percent, type Result, type SiteResult } from './result.ts'

const head = [
  'attack',
  'p99 quiet → during, ms',
  'ratio',
  'bridge on a core',
  'event loop late at most, ms',
  'errors of calls',
  'RSS before / peak / after, MiB',
  'descriptors before / after',
  'log lines',
  'how its connections ended',
]
const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)
const grouped = (count: number): string => count.toLocaleString('en-US')

export function attackTable(results: readonly Result[]): string {
  const rows = results.map(({ attack, quiet, during, seen, strain, ends, rss, files, lines }) => [
    attack.name,
    `${p99Of(quiet).toFixed(1)} → ${p99Of(during).toFixed(1)}`,
    (p99Of(during) / p99Of(quiet)).toFixed(1),
    `${percent(strain.quiet.busy)} → ${percent(strain.during.busy)}`,
    `${strain.quiet.lateMs.toFixed(0)} → ${strain.during.lateMs.toFixed(0)}`,
    `${seen.after.errors - seen.before.errors} of ${grouped(seen.after.calls - seen.before.calls)}`,
    `${mebibytes(rss.before)} / ${mebibytes(rss.peak)} / ${mebibytes(rss.after)}`,
    `${files.before} / ${files.after}`,
    grouped(lines),
    Object.entries(ends)
      .sort(([, one], [, other]) => other - one)
      .map(([end, count]) => `${end}: ${grouped(count)}`)
      .join(', '),
  ])
  return markdownTable(head, rows)
}

export function memoryTable(sites: readonly SiteResult[]): string {
  const rows = sites.map(({ site, results, memory }) => [
    site,
    `${results.length}`,
    `${mebibytes(memory.before)} / ${mebibytes(memory.after)}`,
  ])
  return markdownTable(['bridge', 'attacks', 'memory before / after all attacks, without garbage, MiB'], rows)
}
