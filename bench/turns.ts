/**
 * Measures contenders in turn, each in every round, so that other load on the machine affects all of them.
 */
import type { Speed, Window } from './measure.ts'

export type SpeedPlan = { readonly rounds: number; readonly stations: readonly number[]; readonly window: Window }

/** One row of a table for each number of stations. */
export type Contender = { readonly name: string; run(stations: number, window: Window): Promise<Speed> }

/** The results of a contender in each round. */
export type Column = { readonly name: string; readonly calls: readonly number[]; readonly cpu: readonly number[] }

/** @returns by the number of stations, the contenders in the order given */
export async function inTurns(
  contenders: readonly Contender[],
  { rounds, stations, window }: SpeedPlan,
  note: (text: string) => void,
): Promise<Map<number, Column[]>> {
  const turn = [...contenders]
  const results = new Map(stations.map(count => [count, new Map(contenders.map(each => [each, [] as Speed[]]))]))
  note('warm-up round')
  for (const contender of turn) await contender.run(Math.min(...stations), window)
  for (let round = 0; round < rounds; round++) {
    note(`round ${round + 1} of ${rounds}`)
    // The order is rotated: the first one of a round is the last of the next.
    turn.push(...turn.splice(0, 1))
    for (const [count, speeds] of results)
      for (const contender of turn) speeds.get(contender)?.push(await contender.run(count, window))
  }
  return new Map([...results].map(([count, speeds]) => [count, [...speeds].map(columnOf)]))
}

function columnOf([{ name }, speeds]: [Contender, Speed[]]): Column {
  return {
    name,
    calls: speeds.map(({ callsPerSecond }) => callsPerSecond),
    cpu: speeds.map(({ cpuMicrosPerCall }) => cpuMicrosPerCall),
  }
}
