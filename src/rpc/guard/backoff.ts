/**
 * Whether a call that failed is retried, and after how long.
 */
import { mayRepeat, type RpcError } from '../../cable/rpc.ts'

/** Before the second attempt; doubled before each further one. */
const initialBackoffMs = { unavailable: 100, exhausted: 10 }

/**
 * In ms, less up to half of jitter, so that calls that failed together are not retried together. `null` where the call
 * must not be retried: after a timeout or a verdict of the app, and where the app may have run what it must not run
 * twice.
 */
export function backoffFor(failure: RpcError, retries: number, isIdempotent: boolean): number | null {
  const { code } = failure
  if (code !== 'unavailable' && code !== 'exhausted') return null
  if (!isIdempotent && !mayRepeat(failure)) return null
  return initialBackoffMs[code] * 2 ** retries * (1 - Math.random() / 2)
}
