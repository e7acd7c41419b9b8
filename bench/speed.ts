/**
 * Calls per second, and CPU time per call of the measured process.
 */
import type { CallName } from './calls.ts'
import { openServer, openWorker, type Worker } from './children.ts'
import { groupOf, type Group } from './group.ts'
import type { Speed, Window } from './measure.ts'
import { echoName, openSubjects, type Subject, type Subjects } from './subjects.ts'
import { markdownTable, ratio, spread } from './table.ts'
import { inTurns, type Column, type Contender, type SpeedPlan } from './turns.ts'
import type { Task as UnaryTask } from './unary.ts'

const unaryName = 'gRPC call alone'
/** The default `rpc_concurrency` of the bridge and of AnyCable. */
const concurrency = 28

/** @returns the table */
export async function measureSpeed(subjects: Subjects, plan: SpeedPlan, note: (text: string) => void): Promise<string> {
  const app = await openServer('./stub-app.ts')
  const load = openWorker('./load.ts')
  const opened = await openSubjects(subjects, app)
  const unary = openWorker('./unary.ts', String(app.port))
  const contenders: Contender[] = [{ name: unaryName, run: (stations, window) => callAlone(unary, stations, window) }]
  for (const subject of opened) contenders.push(...(await contendersOf(subject, load, Math.max(...plan.stations))))

  const results = await inTurns(contenders, plan, text => note(`speed, ${text}`))
  for (const child of [load, unary, ...opened.map(({ server }) => server), app]) await child.close()
  return tableOf(results)
}

/** Stations connect once and stay; those with a silent app are a group of their own. */
async function contendersOf(subject: Subject, load: Worker, stations: number): Promise<Contender[]> {
  const { kind, name } = subject
  const open = async (prefix: string): Promise<Group> => {
    const group = groupOf(subject, load, prefix)
    await group.open(stations)
    return group
  }
  const contender = (what: string, group: Group, call: CallName): Contender => ({
    name: `${name}${what}`,
    run: (count, window) => group.measure(call, count, window),
  })
  const acked = await open('acked')
  if (kind === 'alone') return [contender('', acked, 'status')]
  if (kind === 'cable') return [contender(', app acks', acked, 'status')]
  return [
    contender(', heartbeat', acked, 'heartbeat'),
    contender(', app is silent', await open('silent'), 'status'),
    contender(', app acks', acked, 'status'),
  ]
}

async function callAlone(unary: Worker, stations: number, window: Window): Promise<Speed> {
  const task: UnaryTask = { outstanding: Math.min(stations, concurrency), window }
  return (await unary.ask(task)) as Speed
}

function tableOf(results: ReadonlyMap<number, readonly Column[]>): string {
  const head = ['stations', 'what', 'calls/s', 'to echo', 'CPU µs/call', 'CPU to echo', 'CPU to gRPC call']
  const rows: string[][] = []
  for (const [stations, columns] of results) {
    const echo = columns.find(({ name }) => name === echoName)
    const unary = columns.find(({ name }) => name === unaryName)
    for (const { name, calls, cpu } of columns) {
      rows.push([
        String(stations),
        name,
        spread(calls),
        ratio(calls, echo?.calls ?? []),
        spread(cpu),
        ratio(cpu, echo?.cpu ?? []),
        ratio(cpu, unary?.cpu ?? []),
      ])
    }
  }
  return markdownTable(head, rows)
}
