/**
 * How long something takes, in ms, at servers that are measured in turns: median and 99th percentile of each round.
 */
import type { Answer } from '../answer.ts'
import { openServer, openWorker } from '../children.ts'
import { groupOf, type Group } from '../group.ts'
import { appServersOf, goName, type Subject, type Subjects } from '../subjects.ts'
import { markdownTable, median, percentile, ratio, spread } from '../table.ts'

export type Contender = { readonly name: string; readonly group: Group }
/** Of each round, in ms. */
export type Times = ReadonlyMap<Contender, readonly (readonly number[])[]>

/** Has AnyCable's server and the bridges run, with so many stations each, while `measure` works. */
export async function withStations<Result>(
  subjects: Subjects,
  stations: number,
  measure: (contenders: readonly Contender[]) => Promise<Result>,
): Promise<Result> {
  const app = await openServer('./stub-app.ts')
  const load = openWorker('./load.ts')
  const opened: Subject[] = []
  for (const each of appServersOf(subjects, app)) opened.push(await each.open())
  const contenders = opened.map(subject => ({ name: subject.name, group: groupOf(subject, load) }))
  for (const { group } of contenders) await group.open(stations)
  const result = await measure(contenders)
  for (const child of [load, ...opened.map(({ server }) => server), app]) await child.close()
  return result
}

/** @param name  of the question */
export function timesAnswer(name: string, title: string, times: Times): Answer {
  const quantiles = [...times].map(([{ name }, rounds]) => ({
    name,
    p50: rounds.map(round => percentile(round, 0.5)),
    p99: rounds.map(round => percentile(round, 0.99)),
  }))
  const go = quantiles.find(({ name }) => name === goName)
  const to = (values: readonly number[], other: readonly number[] | undefined): string =>
    other === undefined ? '' : ratio(values, other)
  const lines = quantiles.map(({ name, p50, p99 }) => [
    name,
    spread(p50),
    to(p50, go?.p50),
    spread(p99),
    to(p99, go?.p99),
  ])
  const head = ['what', 'median, ms', `to ${goName}`, 'p99, ms', `to ${goName}`]
  return {
    name,
    table: markdownTable(head, lines),
    plot: {
      title,
      groups: ['median', 'p99'],
      series: quantiles.map(({ name, p50, p99 }) => ({ name, values: [median(p50), median(p99)] })),
    },
  }
}
