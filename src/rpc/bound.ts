/**
 * How many calls may be under way at once where the bridge finds that out itself: by what the app refuses, and answers.
 *
 * Pure. First, least and most are AnyCable Pro's (docs, `rpc_concurrency=0`); the rule between them is ours.
 */

export type Bound = {
  readonly limit: number
  /** How many calls in a row the app has answered while others waited. */
  readonly answered: number
}

export const bounds = { initial: 25, min: 5, max: 100 } as const
export const firstBound: Bound = { limit: bounds.initial, answered: 0 }
/** So that an app at its limit refuses fewer than one call in a hundred. */
const answersForEach = 4

/**
 * Each call refused was one too many: the bound comes down at once by as many as the app has no thread for. It goes up
 * by one when the app has answered four times as many in a row, and only while calls wait, which it would help.
 */
export function boundAfter(bound: Bound, end: 'answered' | 'refused', areWaiting: boolean): Bound {
  const { limit } = bound
  if (end === 'refused') return { limit: Math.max(bounds.min, limit - 1), answered: 0 }
  if (!areWaiting || limit === bounds.max) return bound
  const answered = bound.answered + 1
  return answered < limit * answersForEach ? { limit, answered } : { limit: limit + 1, answered: 0 }
}
