/**
 * `npm run attack`: each attack beside healthy stations, whose calls are measured in quiet phases and in phases of the
 * attack, in turns. Prints a table; exits with 1 if an attack misses the goal.
 *
 *   --only=TEXT        the attacks whose name contains it
 *   --seconds=10       how long a phase lasts
 *   --rounds=3         of a quiet phase and an attack; a row's p99 is the median of theirs
 *   --stations=200     beside it
 *   --write            puts the table into docs/security.md
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { fillPage } from '../../bench/page.ts'
import { keepUntil, type Keep } from '../support/keep.ts'
import { run } from '../support/process.ts'
import type { Attack } from './attack.ts'
import { attacksOn } from './rows/all.ts'
import { none, type Tally } from './fleet.ts'
import { keepsMemory, missesOf, worstOf, type Result, type SiteResult } from './result.ts'
import { openSite, type Site, type Strain } from './site.ts'
import { sites, type SiteName } from './sites.ts'
import { attackTable, memoryTable } from './table.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '3' },
    stations: { type: 'string', default: '200' },
    write: { type: 'boolean', default: false },
  },
})
if (values.write && values.only !== '') throw new Error('--write needs a run of all attacks')
const page = new URL('../../docs/security.md', import.meta.url)
const phaseMs = Number(values.seconds) * 1000
const rounds = Number(values.rounds)
/** For connections that the bridge gives a time limit of their own. */
const settleMs = 45_000
/** The bridge has a core of its own, so that what its stations wait for is the bridge, and not a turn on the core. */
const isPinned = availableParallelism() > 1 && (await run('taskset', ['--version'])).code === 0

async function pin(pid: number, core: number): Promise<void> {
  if (isPinned) await run('taskset', ['-a', '-c', '-p', `${core}`, `${pid}`])
}

/** On Linux: the process runs only while a core is idle, so that the stations and the app do not wait for it. */
async function yieldCores(pid: number): Promise<void> {
  await run('chrt', ['--idle', '-a', '-p', '0', `${pid}`])
}

/** @param before  what healthy stations saw until the row before it */
async function measure(site: Site, attack: Attack, before: Tally): Promise<Result> {
  const filesBefore = site.files()
  const rssBefore = site.resident()
  const lines = site.bridge.process.lines.length
  const counter = attack.counted ?? attack.countedLong
  const count = async (): Promise<number> => (counter === undefined ? 0 : site.bridge.metric(counter))
  const counted = await count()
  const quiet: (readonly number[])[] = []
  const during: (readonly number[])[] = []
  const strains = { quiet: [] as Strain[], during: [] as Strain[] }
  const ends: Record<string, number> = {}
  let peak = 0
  const sampling = setInterval(() => (peak = Math.max(peak, site.resident())), 100)
  try {
    for (let round = 0; round < (attack.seconds === undefined ? rounds : 1); round++) {
      await site.strain()
      quiet.push(await site.watchQuiet(phaseMs))
      strains.quiet.push(await site.strain())
      const attackMs = Math.max(phaseMs, (attack.seconds ?? 0) * 1000)
      const watching = async (): Promise<void> => {
        during.push(await site.watch(phaseMs))
        strains.during.push(await site.strain())
      }
      const [ended] = await Promise.all([site.attack(attack, attackMs, 1), watching()])
      for (const [end, count] of Object.entries(ended)) ends[end] = (ends[end] ?? 0) + count
    }
  } finally {
    clearInterval(sampling)
  }
  const files = { before: filesBefore, after: await site.settled(filesBefore, settleMs) }
  return {
    attack,
    quiet,
    during,
    seen: { before, after: await site.tally() },
    strain: { quiet: worstOf(strains.quiet), during: worstOf(strains.during) },
    ends,
    rss: { before: rssBefore, peak, after: site.resident() },
    files,
    lines: site.bridge.process.lines.length - lines,
    counted: (await count()) - counted,
  }
}

function noteMiss(miss: string): void {
  process.stderr.write(`  MISSED: ${miss}\n`)
}

async function runAll(keep: Keep, name: SiteName, chosen: readonly Attack[]): Promise<SiteResult> {
  const site = await openSite(keep, {
    name,
    stations: Number(values.stations),
    onBridge: pid => pin(pid, 1),
    onAttackers: yieldCores,
  })
  const before = await site.memory()
  await site.watchQuiet(phaseMs) // code is compiled
  const results: Result[] = []
  let seen = none
  for (const attack of chosen) {
    const result = await measure(site, attack, seen)
    seen = result.seen.after
    results.push(result)
    process.stderr.write(`${attackTable([result]).split('\n')[2] ?? ''}\n`)
    for (const miss of missesOf(result)) noteMiss(miss)
  }
  const memory = { before, after: await site.memory() }
  if (keepsMemory(memory))
    noteMiss(`the bridge (${name}) holds ${memory.after} bytes after the attacks, ${memory.before} before`)
  return { site: name, results, memory }
}

await pin(process.pid, 0)
const siteResults: SiteResult[] = []
for (const name of Object.keys(sites) as SiteName[]) {
  const chosen = attacksOn(name).filter(attack => attack.name.includes(values.only))
  if (chosen.length === 0) continue
  let close: () => Promise<void> = () => Promise.resolve()
  try {
    const keep = keepUntil(end => (close = end))
    siteResults.push(await runAll(keep, name, chosen))
  } finally {
    await close()
  }
}
const caption = `Node ${process.versions.node}, ${values.stations} stations, ${values.rounds} × ${values.seconds} s quiet and under attack${
  isPinned ? ', the bridge on a core of its own' : ''
}.`
const results = siteResults.flatMap(each => each.results)
const text = `${caption}\n\n${attackTable(results)}\n\n${memoryTable(siteResults)}`
process.stdout.write(`${text}\n`)
if (values.write) fillPage(page, { attack: text })
const isMissed =
  results.some(result => missesOf(result).length > 0) || siteResults.some(({ memory }) => keepsMemory(memory))
process.exit(isMissed ? 1 : 0)
