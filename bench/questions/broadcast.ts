/**
 * How long does a broadcast take from its publisher to the station's socket.
 */
import type { Answer, Note } from '../answer.ts'
import type { Rate } from '../open-loop.ts'
import type { Subjects } from '../subjects.ts'
import { inTurns } from '../turns.ts'
import { timesAnswer, withStations, type Contender } from './times.ts'

export type BroadcastPlan = { readonly rounds: number; readonly stations: number; readonly rate: Rate }

export async function measureBroadcasts(subjects: Subjects, plan: BroadcastPlan, note: Note): Promise<Answer> {
  const run = ({ group }: Contender): Promise<number[]> => group.broadcast(plan.rate)
  const times = await withStations(subjects, plan.stations, contenders =>
    inTurns(contenders, plan.rounds, run, text => note(`broadcasts, ${text}`)),
  )
  return timesAnswer('broadcast', 'A broadcast to the socket of a station, ms', times)
}
