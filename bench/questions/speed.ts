/**
 * What does a call cost: CPU time of the server's process, and calls per second.
 */
import type { Answer, Note } from '../answer.ts'
import type { CallName } from '../calls.ts'
import { openServer, openWorker } from '../children.ts'
import { groupOf, type Group } from '../group.ts'
import type { Speed, Window } from '../measure.ts'
import { appServersOf, echoName, goName, peersOf, type Subject, type Subjects } from '../subjects.ts'
import { markdownTable, median, ratio, spread } from '../table.ts'
import { inTurns } from '../turns.ts'

export type SpeedPlan = { readonly rounds: number; readonly stations: readonly number[]; readonly window: Window }

type Row = { readonly name: string; readonly group: Group; readonly call: CallName; readonly toApp: boolean }
type Contender = Row & { readonly stations: number }
type Results = ReadonlyMap<Contender, readonly Speed[]>

export async function measureSpeed(subjects: Subjects, plan: SpeedPlan, note: Note): Promise<Answer> {
  const app = await openServer('./stub-app.ts')
  const load = openWorker('./load.ts')
  const opened: Subject[] = []
  for (const each of [...peersOf(), ...appServersOf(subjects, app)]) opened.push(await each.open())
  const rows: Row[] = []
  for (const subject of opened) {
    const group = groupOf(subject, load)
    await group.open(Math.max(...plan.stations))
    rows.push(...rowsOf(subject, group))
  }
  const contenders = plan.stations.flatMap(stations => rows.map(row => ({ ...row, stations })))
  const run = ({ group, call, stations }: Contender): Promise<Speed> => group.measure(call, stations, plan.window)
  const results = await inTurns(contenders, plan.rounds, run, text => note(`speed, ${text}`))
  for (const child of [load, ...opened.map(({ server }) => server), app]) await child.close()
  return { name: 'speed', table: tableOf(results), plot: plotOf(results, plan, rows) }
}

function rowsOf({ kind, name }: Subject, group: Group): Row[] {
  const acked: Row = { name: `${name}, app acks`, group, call: 'status', toApp: true }
  if (kind === 'alone') return [{ ...acked, name, toApp: false }]
  return kind === 'cable' ? [acked] : [{ name: `${name}, heartbeat`, group, call: 'heartbeat', toApp: false }, acked]
}

const cpuOf = (speeds: readonly Speed[] = []): number[] => speeds.map(({ cpuMicrosPerCall }) => cpuMicrosPerCall)

function tableOf(results: Results): string {
  const lines = [...results].map(([{ name, stations, toApp }, speeds]) => {
    const cpu = cpuOf(speeds)
    const to = (other: string): string => {
      const found = [...results].find(([each]) => each.stations === stations && each.name.startsWith(other))
      return found === undefined ? '' : ratio(cpu, cpuOf(found[1]))
    }
    const calls = speeds.map(({ callsPerSecond }) => callsPerSecond)
    return [String(stations), name, spread(calls), spread(cpu), to(echoName), toApp ? to(goName) : '']
  })
  const head = ['stations', 'what', 'calls/s', 'CPU µs/call', `CPU to ${echoName}`, `CPU to ${goName}`]
  return markdownTable(head, lines)
}

function plotOf(results: Results, { stations }: SpeedPlan, rows: readonly Row[]): Answer['plot'] {
  const at = (name: string, count: number): number =>
    median(cpuOf([...results].find(([each]) => each.name === name && each.stations === count)?.[1]))
  return {
    title: 'CPU of the server, µs per call',
    groups: stations.map(count => `${count.toLocaleString('en-US')} stations`),
    series: rows.map(({ name }) => ({
      name: name.replaceAll('`', ''),
      values: stations.map(count => at(name, count)),
    })),
  }
}
