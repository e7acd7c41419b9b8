/**
 * The adaptive limit of calls in flight (`rpc_concurrency=0`): follows what the app refuses and replies to.
 *
 * Pure. The range is AnyCable Pro's (docs, `rpc_concurrency=0`); the rule is ours.
 */

export type Limit = {
  readonly calls: number
  /** How many calls in a row the app has replied to while others waited. */
  readonly replies: number
}

export const limitRange = { initial: 25, min: 5, max: 100 } as const
export const initialLimit: Limit = { calls: limitRange.initial, replies: 0 }
/** An app at its limit then refuses fewer than one call in a hundred. */
const repliesPerCall = 4

/**
 * A refused call lowers the limit by one at once, so that it falls by as many calls as the app lacks threads. The limit
 * rises by one after four times as many replies in a row, and only while calls wait that could use it.
 */
export function limitAfter(limit: Limit, end: 'replied' | 'refused', areWaiting: boolean): Limit {
  const { calls } = limit
  if (end === 'refused') return { calls: Math.max(limitRange.min, calls - 1), replies: 0 }
  if (!areWaiting || calls === limitRange.max) return limit
  const replies = limit.replies + 1
  return replies < calls * repliesPerCall ? { calls, replies } : { calls: calls + 1, replies: 0 }
}
