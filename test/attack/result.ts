/**
 * What was measured of one attack, and whether it meets the goal.
 */
import { median, percentile } from '../../bench/table.ts'
import type { Attack } from './attack.ts'
import type { Ends } from './connections.ts'
import type { Tally } from './fleet.ts'
import type { Strain } from './site.ts'
import type { SiteName } from './sites.ts'

type Rounds = readonly (readonly number[])[]

export type Result = {
  readonly attack: Attack
  /** How long the healthy stations' calls took in each round, in ms. */
  readonly quiet: Rounds
  readonly during: Rounds
  /** What healthy stations saw until the row before it, and until its own connections were settled. */
  readonly seen: { readonly before: Tally; readonly after: Tally }
  /** The worst of all rounds. */
  readonly strain: { readonly quiet: Strain; readonly during: Strain }
  readonly ends: Ends['counts']
  /** In bytes. */
  readonly rss: { readonly before: number; readonly peak: number; readonly after: number }
  /** How many were open. */
  readonly files: { readonly before: number; readonly after: number }
  /** Of the log. */
  readonly lines: number
  /** By how much the counter that the attack moves has grown. */
  readonly counted: number
}

/** All attacks on one bridge. */
export type SiteResult = {
  readonly site: SiteName
  readonly results: readonly Result[]
  /** What it held, in bytes, without garbage. */
  readonly memory: { readonly before: number; readonly after: number }
}

/** For garbage that is not collected at once, code that is compiled meanwhile, and what is remembered up to a limit. */
const spareMemory = 32 * 2 ** 20
/** A p99 below this is good, whatever it was before. In ms. */
const goodMs = 10

/** The median of the rounds, in ms. A round without a call is worse than any. */
export function p99Of(rounds: Rounds): number {
  return median(rounds.map(took => (took.length === 0 ? Infinity : percentile(took, 0.99))))
}

export function worstOf(strains: readonly Strain[]): Strain {
  const most = (of: keyof Strain): number => Math.max(...strains.map(strain => strain[of]))
  return { busy: most('busy'), queued: most('queued'), lateMs: most('lateMs') }
}

/** Counts only: they do not depend on the speed of the machine. */
export function wrongEnds({ ends, mustEnd }: Attack, counts: Ends['counts']): string[] {
  const others = Object.entries(counts).filter(([end]) => !ends.includes(end))
  const missing = mustEnd !== undefined && counts[mustEnd] === undefined ? [`none ended with ${mustEnd}`] : []
  const none = Object.keys(counts).length === 0 ? ['no connection ended'] : []
  return [...none, ...others.map(([end, count]) => `${count} ended with ${end}`), ...missing]
}

export const percent = (share: number): string => `${(share * 100).toFixed(0)} %`

export function keepsMemory({ before, after }: SiteResult['memory']): boolean {
  return after > before + spareMemory
}

export function missesOf({ attack, quiet, during, seen, ends, files, lines, counted, strain }: Result): string[] {
  const misses = wrongEnds(attack, ends)
  const errors = seen.after.errors - seen.before.errors
  if (errors > 0) misses.push(`healthy stations saw ${errors} errors`)
  if (p99Of(during) > Math.max(2 * p99Of(quiet), goodMs))
    misses.push(
      `the p99 is more than twice that of the quiet phase; the bridge's main thread waited for a core, behind other programs or its own other threads, ${percent(strain.during.queued)} of the time, ${percent(strain.quiet.queued)} when quiet`,
    )
  if (files.after > files.before) misses.push(`${files.after - files.before} descriptors are not back`)
  if (attack.mostLines !== undefined && lines > attack.mostLines) misses.push(`${lines} lines of log`)
  const counter = attack.counted ?? attack.countedLong
  if (counter !== undefined && counted === 0) misses.push(`${counter} has not counted it`)
  return misses
}
