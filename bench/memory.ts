/**
 * Memory of one idle station: the growth of a server's resident memory when more stations have connected and booted,
 * each time in a fresh process.
 */
import { setTimeout } from 'node:timers/promises'
import { openServer, openWorker } from './children.ts'
import { groupOf, type Group } from './group.ts'
import { residentKilobytes } from './measure.ts'
import { echoName, openSubjects, type Subject, type Subjects } from './subjects.ts'
import { markdownTable, ratio, spread } from './table.ts'

export type MemoryPlan = {
  readonly rounds: number
  /** Stations that connect first and are not counted: with their calls, they bring the process to its working size. */
  readonly warmUp: number
  readonly calls: number
  /** The counted stations. */
  readonly stations: number
  /** The pause before the memory is read. */
  readonly settleMs: number
}

/**
 * Collects garbage at a signal, so that the memory of a station is measured without the garbage of its arrival.
 */
const collecting = ['--expose-gc', '--import', "data:text/javascript,process.on('SIGUSR2',()=>gc())"]

/** @returns the table */
export async function measureMemory(
  subjects: Subjects,
  plan: MemoryPlan,
  note: (text: string) => void,
): Promise<string> {
  const results = new Map<string, number[]>()
  for (let round = 0; round < plan.rounds; round++) {
    note(`memory, round ${round + 1} of ${plan.rounds}`)
    for (const [name, kilobytes] of await measureRound(subjects, plan))
      results.set(name, [...(results.get(name) ?? []), kilobytes])
  }
  const echo = results.get(echoName) ?? []
  const rows = [...results].map(([name, kilobytes]) => [name, spread(kilobytes), ratio(kilobytes, echo)])
  return markdownTable([`${plan.stations} idle stations`, 'kB each', 'to echo'], rows)
}

/** All servers at once: they are idle. */
async function measureRound(subjects: Subjects, plan: MemoryPlan): Promise<[string, number][]> {
  const app = await openServer('./stub-app.ts')
  const load = openWorker('./load.ts')
  const opened = await openSubjects(subjects, app, collecting)
  const groups = opened.map(subject => ({ subject, group: groupOf(subject, load, 'acked') }))
  for (const { subject, group } of groups) {
    await greet(subject, group, plan.warmUp)
    await group.call('status', plan.calls)
  }
  const before = await settledKilobytes(opened, plan)
  for (const { subject, group } of groups) await greet(subject, group, plan.stations)
  const after = await settledKilobytes(opened, plan)
  for (const child of [load, ...opened.map(({ server }) => server), app]) await child.close()
  return opened.map(({ name }, at) => [name, ((after[at] ?? 0) - (before[at] ?? 0)) / plan.stations])
}

/** Connects more stations; in a group with a first call, all make it. */
async function greet({ firstCall }: Subject, group: Group, stations: number): Promise<void> {
  await group.open(stations)
  if (firstCall !== null) await group.call(firstCall, 1)
}

/** Collects twice: the first collection may make more objects collectable. */
async function settledKilobytes(opened: readonly Subject[], { settleMs }: MemoryPlan): Promise<number[]> {
  for (let turn = 0; turn < 2; turn++) {
    await setTimeout(settleMs / 2)
    for (const { kind, server } of opened) if (kind !== 'cable') process.kill(server.pid, 'SIGUSR2')
  }
  await setTimeout(settleMs / 2)
  return opened.map(({ server }) => residentKilobytes(server.pid))
}
