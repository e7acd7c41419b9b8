import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rpcErrorForStatus } from '../../../src/rpc/http/status.ts'
import { rpcError } from '../../contract/rpc.ts'

const statuses = [
  [302, 'application', 'notRun', 'a login page, or TLS'],
  [400, 'application', 'notRun', 'Rails could not parse it'],
  [401, 'application', 'notRun', 'a wrong key'],
  [403, 'application', 'notRun', 'a host that Rails does not allow'],
  [404, 'application', 'notRun', 'a wrong path'],
  [408, 'timeout', 'unknown', 'a proxy timed out on either side'],
  [413, 'application', 'notRun', 'above the limit of a proxy'],
  [422, 'application', 'notRun', 'the gem could not parse it'],
  [429, 'exhausted', 'notRun', 'throttled'],
  [500, 'application', 'unknown', 'an exception in Rails'],
  [502, 'unavailable', 'unknown', 'a proxy that lost the app, perhaps after the call ran'],
  [503, 'unavailable', 'unknown', 'as 502'],
  [504, 'timeout', 'unknown', 'a proxy timed out'],
  [204, 'application', 'unknown', 'not AnyCable'],
] as const
for (const [code, expected, outcome, because] of statuses) {
  test(`rpcErrorForStatus makes HTTP ${code} ${expected}, ${outcome}: ${because}`, () => {
    const error = rpcErrorForStatus(code, 'said')
    assert.ok(rpcError(expected, outcome, new RegExp(`^HTTP status ${code}: said`))(error), error.message)
  })
}
