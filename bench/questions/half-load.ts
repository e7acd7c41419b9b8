/**
 * How long does a station wait for the app's answer while the server has half of what it can do. All servers get the
 * same calls: half of what the slowest of them can do.
 */
import type { Answer, Note } from '../answer.ts'
import type { Window } from '../measure.ts'
import type { Rate } from '../open-loop.ts'
import type { Subjects } from '../subjects.ts'
import { median } from '../table.ts'
import { inTurns } from '../turns.ts'
import { timesAnswer, withStations, type Contender, type Times } from './times.ts'

export type HalfLoadPlan = {
  readonly rounds: number
  readonly stations: number
  /** For the most calls that a server can do. */
  readonly window: Window
  readonly rate: Omit<Rate, 'perSecond'>
}

export async function measureHalfLoad(subjects: Subjects, plan: HalfLoadPlan, note: Note): Promise<Answer> {
  const times = await withStations(subjects, plan.stations, contenders => timesOf(contenders, plan, note))
  return timesAnswer('half-load', 'An acked perform under half load, ms', times)
}

async function timesOf(contenders: readonly Contender[], plan: HalfLoadPlan, note: Note): Promise<Times> {
  const full = async ({ group }: Contender): Promise<number> =>
    (await group.measure('status', plan.stations, plan.window)).callsPerSecond
  const most = await inTurns(contenders, plan.rounds, full, text => note(`full load, ${text}`))
  const perSecond = Math.min(...[...most.values()].map(median)) / 2
  note(`half load is ${Math.round(perSecond)} calls a second`)
  const half = ({ group }: Contender): Promise<number[]> => group.offer('status', { ...plan.rate, perSecond })
  return inTurns(contenders, plan.rounds, half, text => note(`half load, ${text}`))
}
