import type { RpcError } from '../../../src/cable/rpc.ts'

/** [code, text, code of the error, outcome, because] */
export type StatusRow = readonly [number, string, RpcError['code'], RpcError['outcome'], string]

/** Statuses from the app's server: every client reads them alike. */
export const ofApp: readonly StatusRow[] = [
  [1, 'CANCELLED', 'unavailable', 'unknown', 'the app cancelled it'],
  [2, 'NameError', 'application', 'unknown', 'a bug in the gem'],
  [3, 'bad request', 'application', 'unknown', 'a verdict'],
  [4, 'Deadline exceeded', 'timeout', 'unknown', 'it was sent'],
  [8, 'No free threads in thread pool', 'exhausted', 'notRun', 'the words of the Ruby server'],
  [8, 'SERVER: Received message larger than max (5 vs. 4)', 'application', 'notRun', 'the call is too large'],
  [8, 'SERVER: Sent message larger than max (5 vs. 4)', 'application', 'unknown', 'the reply is too large'],
  [8, 'grpc: trying to send message larger than max (5 vs. 4)', 'application', 'unknown', 'the words of grpc-go'],
  [12, 'The server does not implement the method', 'application', 'notRun', 'another service'],
  [13, 'boom', 'application', 'unknown', 'a verdict'],
  [14, 'Cancelling all calls', 'unavailable', 'unknown', 'the Ruby server is stopping'],
  [99, 'new', 'application', 'unknown', 'a code that gRPC does not define'],
]
