/**
 * What memory does an idle station take: kept on the heap after garbage is collected, and as an operator sees it, by
 * which the process has grown. Each reading is of a process of its own.
 */
import { setTimeout } from 'node:timers/promises'
import type { Answer, Note } from '../answer.ts'
import { openServer, openWorker, type Server } from '../children.ts'
import { groupOf } from '../group.ts'
import { askable, keptBytes } from '../heap.ts'
import { residentKilobytes } from '../measure.ts'
import { appServersOf, echoName, peersOf, type Contestant, type Subjects } from '../subjects.ts'
import { markdownTable, median, ratio, spread } from '../table.ts'

export type MemoryPlan = {
  readonly rounds: number
  /** Stations that connect first and are not counted: with their calls, they bring the process to its working size. */
  readonly warmUp: number
  readonly calls: number
  /** The counted stations. */
  readonly stations: readonly number[]
  /** The pause before the memory is read. */
  readonly settleMs: number
}

/** Of a process, in kB. `kept` is undefined for one that does not run on Node. */
type Reading = { readonly grown: number; readonly kept: number | undefined }
/** Of a station, in kB, in each round. */
type Row = { readonly name: string; readonly stations: number; readonly kept: number[]; readonly grown: number[] }

export async function measureMemory(subjects: Subjects, plan: MemoryPlan, note: Note): Promise<Answer> {
  const app = await openServer('./stub-app.ts')
  const peers = peersOf(askable).filter(({ name }) => !name.includes('strict'))
  const contestants = [...peers, ...appServersOf(subjects, app, askable)]
  const rows = contestants.flatMap(({ name }) =>
    plan.stations.map((stations): Row => ({ name, stations, kept: [], grown: [] })),
  )
  for (let round = 0; round < plan.rounds; round++) {
    note(`memory, round ${round + 1} of ${plan.rounds}`)
    contestants.push(...contestants.splice(0, 1))
    for (const contestant of contestants) await measureRound(contestant, plan, rows)
  }
  await app.close()
  return { name: 'memory', table: tableOf(rows), plot: plotOf(rows, plan) }
}

async function measureRound(contestant: Contestant, plan: MemoryPlan, rows: readonly Row[]): Promise<void> {
  const empty = await readingOf(contestant, plan, 0)
  for (const stations of plan.stations) {
    const { grown, kept } = await readingOf(contestant, plan, stations)
    const row = rows.find(row => row.name === contestant.name && row.stations === stations)
    row?.grown.push(grown / stations)
    if (kept !== undefined && empty.kept !== undefined) row?.kept.push((kept - empty.kept) / stations)
  }
}

async function readingOf(contestant: Contestant, plan: MemoryPlan, stations: number): Promise<Reading> {
  const subject = await contestant.open()
  const load = openWorker('./load.ts')
  const group = groupOf(subject, load)
  const { pid } = subject.server
  await group.open(plan.warmUp)
  await group.call('status', plan.calls)
  await setTimeout(plan.settleMs)
  const before = residentKilobytes(pid)
  await group.open(stations)
  await setTimeout(plan.settleMs)
  const grown = residentKilobytes(pid) - before
  const kept = subject.kind === 'cable' ? undefined : (await keptBytes(pid)) / 1_000
  for (const child of [load, subject.server] satisfies Pick<Server, 'close'>[]) await child.close()
  return { grown, kept }
}

function tableOf(rows: readonly Row[]): string {
  const sorted = rows.toSorted((one, other) => one.stations - other.stations)
  const lines = sorted.map(({ name, stations, kept, grown }) => {
    const echo = rows.find(each => each.name === echoName && each.stations === stations)
    const keptCells = kept.length === 0 ? ['', ''] : [spread(kept), ratio(kept, echo?.kept ?? [])]
    return [stations.toLocaleString('en-US'), name, ...keptCells, spread(grown), ratio(grown, echo?.grown ?? [])]
  })
  const head = ['idle stations', 'what', 'kept heap, kB each', 'to echo', 'RSS grown, kB each', 'to echo']
  return markdownTable(head, lines)
}

function plotOf(rows: readonly Row[], { stations }: MemoryPlan): Answer['plot'] {
  const names = [...new Set(rows.map(({ name }) => name))]
  const values = (name: string, which: 'kept' | 'grown'): (number | null)[] =>
    rows.filter(row => row.name === name).map(row => (row[which].length === 0 ? null : median(row[which])))
  const groups = (what: string): string[] => stations.map(count => `${what}, ${count.toLocaleString('en-US')} stations`)
  return {
    title: 'Memory of an idle station, kB',
    groups: [...groups('kept heap'), ...groups('RSS grown')],
    series: names.map(name => ({
      name: name.replaceAll('`', ''),
      values: [...values(name, 'kept'), ...values(name, 'grown')],
    })),
  }
}
