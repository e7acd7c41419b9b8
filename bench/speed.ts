/**
 * Calls per second, and CPU time per call of the one process that is measured.
 */
import { openServer, openWorker, type Worker } from './children.ts'
import type { Action, Task } from './load.ts'
import type { Speed, Window } from './measure.ts'
import { echoName, openSubjects, type Subject, type Subjects } from './subjects.ts'
import { markdownTable, ratio, spread } from './table.ts'
import type { Task as UnaryTask } from './unary.ts'

export type SpeedPlan = { readonly rounds: number; readonly stations: readonly number[]; readonly window: Window }

/** One row of the table for each number of stations. */
type Contender = { readonly name: string; run(stations: number, window: Window): Promise<Speed> }

/** What a contender did in each round, by the number of stations. */
type Results = ReadonlyMap<number, ReadonlyMap<Contender, Speed[]>>

const unaryName = 'gRPC call alone'
/** How many calls the bridge makes at a time by default, and AnyCable, too. */
const concurrency = 28

/** @returns the table */
export async function measureSpeed(subjects: Subjects, plan: SpeedPlan, note: (text: string) => void): Promise<string> {
  const app = await openServer('./stub-app.ts')
  const load = openWorker('./load.ts')
  const opened = await openSubjects(subjects, app)
  const unary = openWorker('./unary.ts', String(app.port))
  const contenders: Contender[] = [{ name: unaryName, run: (stations, window) => callAlone(unary, stations, window) }]
  for (const subject of opened) contenders.push(...(await contendersOf(subject, load, Math.max(...plan.stations))))

  const results = new Map(plan.stations.map(count => [count, new Map(contenders.map(each => [each, [] as Speed[]]))]))
  note('speed, a round that does not count')
  for (const contender of contenders) await contender.run(Math.min(...plan.stations), plan.window)
  for (let round = 0; round < plan.rounds; round++) {
    note(`speed, round ${round + 1} of ${plan.rounds}`)
    // Whoever comes first in one round comes last in the next.
    contenders.push(...contenders.splice(0, 1))
    for (const [stations, speeds] of results)
      for (const contender of contenders) speeds.get(contender)?.push(await contender.run(stations, plan.window))
  }
  for (const child of [load, unary, ...opened.map(({ server }) => server), app]) await child.close()
  return tableOf(results)
}

/** Stations connect once and stay; those whose app is to be silent are other ones. */
async function contendersOf(subject: Subject, load: Worker, stations: number): Promise<Contender[]> {
  const { kind, name, server, dialect, url } = subject
  const ask = (task: Task): Promise<unknown> => load.ask(task)
  const open = async (prefix: string): Promise<string> => {
    const group = `${server.pid} ${prefix}`
    await ask({ kind: 'open', group, prefix, dialect, url, stations })
    return group
  }
  const contender = (what: string, group: string, action: Action): Contender => ({
    name: `${name}${what}`,
    run: async (count, window) =>
      (await ask({ kind: 'measure', group, pid: server.pid, stations: count, action, window })) as Speed,
  })
  const acked = await open('acked')
  if (kind === 'alone') return [contender('', acked, 'StatusNotification')]
  if (kind === 'cable') return [contender(', app acks', acked, 'StatusNotification')]
  return [
    contender(', heartbeat', acked, 'Heartbeat'),
    contender(', app is silent', await open('silent'), 'StatusNotification'),
    contender(', app acks', acked, 'StatusNotification'),
  ]
}

async function callAlone(unary: Worker, stations: number, window: Window): Promise<Speed> {
  const task: UnaryTask = { outstanding: Math.min(stations, concurrency), window }
  return (await unary.ask(task)) as Speed
}

function tableOf(results: Results): string {
  const head = ['stations', 'what', 'calls/s', 'to echo', 'CPU µs/call', 'CPU to echo', 'CPU to gRPC call']
  const rows: string[][] = []
  for (const [stations, speeds] of results) {
    const columns = [...speeds].map(([{ name }, rounds]) => ({
      name,
      calls: rounds.map(({ callsPerSecond }) => callsPerSecond),
      cpu: rounds.map(({ cpuMicrosPerCall }) => cpuMicrosPerCall),
    }))
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
