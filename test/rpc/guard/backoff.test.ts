import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RpcError } from '../../../src/cable/rpc.ts'
import { backoffFor } from '../../../src/rpc/guard/backoff.ts'

const idempotent = true
const rows = [
  ['unavailable', 'notRun', 0, !idempotent, 100, 'it was not sent'],
  ['unavailable', 'notRun', 3, !idempotent, 800, 'it doubles with each attempt'],
  ['unavailable', 'unknown', 0, idempotent, 100, 'the app may run it twice'],
  ['unavailable', 'unknown', 0, !idempotent, null, 'the app may have run it'],
  ['exhausted', 'notRun', 0, !idempotent, 10, 'a thread is soon free'],
  ['exhausted', 'notRun', 2, idempotent, 40, 'it doubles too'],
  ['timeout', 'unknown', 0, idempotent, null, 'the app is slow already'],
  ['timeout', 'notRun', 0, idempotent, null, 'no time is left'],
  ['application', 'ran', 0, idempotent, null, 'the app has judged it'],
  ['application', 'notRun', 0, idempotent, null, 'it would be rejected again'],
  ['blocked', 'notRun', 0, idempotent, null, 'earlier messages go first'],
  ['aborted', 'notRun', 0, idempotent, null, 'its session has ended'],
] as const
for (const [code, outcome, retries, isIdempotent, mostMs, because] of rows) {
  const kind = isIdempotent ? 'an idempotent call' : 'a call'
  const until = mostMs === null ? 'no backoff' : `a backoff of up to ${mostMs} ms`
  test(`${kind} has ${until} after ${retries} retries and ${code}, ${outcome}: ${because}`, t => {
    const random = t.mock.method(Math, 'random', () => 0)
    const failure = new RpcError(code, outcome, 'the call failed')
    assert.equal(backoffFor(failure, retries, isIdempotent), mostMs)
    random.mock.mockImplementation(() => 1)
    assert.equal(backoffFor(failure, retries, isIdempotent), mostMs === null ? null : mostMs / 2)
  })
}
