/**
 * Measures contenders in turn, each in every round, so that other load on the machine affects all of them.
 */

/** @param run  measures a contender once; the warm-up round is not in the results */
export async function inTurns<Contender, Result>(
  contenders: readonly Contender[],
  rounds: number,
  run: (contender: Contender) => Promise<Result>,
  note: (text: string) => void,
): Promise<Map<Contender, Result[]>> {
  const turn = [...contenders]
  const results = new Map(contenders.map(each => [each, [] as Result[]]))
  note('warm-up round')
  for (const contender of turn) await run(contender)
  for (let round = 0; round < rounds; round++) {
    note(`round ${round + 1} of ${rounds}`)
    // The order is rotated: the first one of a round is the last of the next.
    turn.push(...turn.splice(0, 1))
    for (const contender of turn) results.get(contender)?.push(await run(contender))
  }
  return results
}
