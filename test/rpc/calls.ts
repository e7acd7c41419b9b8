/** What the tests of the ways to the app call it with. */
import type { CommandCall, Identifier } from '../../src/cable/rpc.ts'

/** Of a session that does not end. */
export const never = new AbortController().signal

export const env = { url: 'http://csms.example/ocpp/CP01', headers: {}, cstate: {}, istate: {} }
export const identifier = '{"channel":"OCPPChannel","sn":"SN1"}' as Identifier

export const perform: CommandCall = {
  sid: 's1',
  env,
  command: 'message',
  identifier,
  connectionIdentifiers: '{}',
  data: '{"action":"heartbeat"}',
}
