import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rpcErrorForGrpcJs } from '../../../src/rpc/grpc-js/status.ts'
import { rpcError } from '../../contract/rpc.ts'
import { ofApp, type StatusRow } from '../grpc/statuses.ts'

const ofGrpcJs: readonly StatusRow[] = [
  [1, 'Call cancelled', 'unavailable', 'unknown', 'the other side reset the stream'],
  [4, 'Deadline exceeded after 3.001s,remote_addr=127.0.0.1:1', 'timeout', 'unknown', 'it was sent'],
  [4, 'Deadline exceeded after 3.001s,LB pick: 0.1s,remote_addr=127.0.0.1:1', 'timeout', 'unknown', 'it was sent late'],
  [4, 'Deadline exceeded after 3s,Waiting for LB pick', 'timeout', 'notRun', 'no connection in time'],
  [4, 'Deadline exceeded after 3s,waiting for name resolution', 'timeout', 'notRun', 'no address in time'],
  [8, 'Received message larger than max (5 vs 4)', 'application', 'ran', 'the reply is too large'],
  [8, 'Received message that decompresses to a size larger than 4', 'application', 'ran', 'the reply is too large'],
  [8, 'Bandwidth exhausted or memory limit exceeded', 'unavailable', 'unknown', 'the stream was reset'],
  [13, 'Received RST_STREAM with code 2 (Internal server error)', 'unavailable', 'unknown', 'no status came'],
  [14, 'No connection established', 'unavailable', 'notRun', 'no reason is known'],
  [14, 'round_robin: No connection established. Last error: connect', 'unavailable', 'notRun', 'nobody listens'],
  [14, 'Name resolution failed for target dns:app:50051', 'unavailable', 'notRun', 'no address'],
  [14, 'Stream refused by server', 'unavailable', 'notRun', 'RFC 9113 §8.7'],
  [14, 'Channel closed before call started', 'unavailable', 'notRun', 'the bridge is stopping'],
  [14, 'Connection dropped', 'unavailable', 'unknown', 'it was on the wire'],
  [14, 'read ECONNRESET', 'unavailable', 'unknown', 'it was on the wire'],
  [14, 'Received HTTP status code 503', 'unavailable', 'unknown', 'a proxy, which says nothing of the call'],
]
for (const [code, details, expected, outcome, because] of [...ofApp, ...ofGrpcJs]) {
  test(`rpcErrorForGrpcJs makes status ${code} "${details}" ${expected}, ${outcome}: ${because}`, () => {
    assert.ok(rpcError(expected, outcome, /./)(rpcErrorForGrpcJs({ code, details })), 'it is another error')
  })
}
