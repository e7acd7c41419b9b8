/**
 * Calls and replies as the messages of `protos/rpc.proto`, with the proto's own field names.
 *
 * Pure. A response is as `http/json.ts` reads it: a field that the app omits has its default, and an omitted status is
 * ERROR. `grpc/client.ts` writes and reads the same messages as bytes.
 */
import {
  RpcError,
  type CommandCall,
  type CommandReply,
  type ConnectCall,
  type ConnectReply,
  type DisconnectCall,
  type SessionEnv,
  type State,
  type StreamName,
} from '../cable/rpc.ts'

/** The protocol version in the metadata of each call (AnyCable `rpc/rpc.go`). */
export const protov = 'v1'

/** A number, or any other name, is a status that the proto does not define. */
type Status = 'SUCCESS' | 'FAILURE' | 'ERROR' | number
export type EnvResponse = { readonly cstate: State; readonly istate: State }

type Outcome = { readonly status: Status; readonly error_msg: string }

export type ConnectionResponse = Outcome & {
  readonly identifiers: string
  readonly transmissions: readonly string[]
  readonly env: EnvResponse | null
}

export type CommandResponse = Outcome & {
  readonly disconnect: boolean
  readonly stop_streams: boolean
  readonly streams: readonly string[]
  readonly stopped_streams: readonly string[]
  readonly transmissions: readonly string[]
  readonly env: EnvResponse | null
}

export type DisconnectResponse = Outcome

/** A request. */
export type Message = { readonly env: SessionEnv } & Readonly<Record<string, unknown>>

const noChanges: EnvResponse = { cstate: {}, istate: {} }

export function connectionRequest({ env }: ConnectCall): Message {
  return { env }
}

export function commandMessage({ command, identifier, connectionIdentifiers, data, env }: CommandCall): Message {
  return { command, identifier, connection_identifiers: connectionIdentifiers, data, env }
}

export function disconnectRequest({ connectionIdentifiers, subscriptions, env }: DisconnectCall): Message {
  return { identifiers: connectionIdentifiers, subscriptions, env }
}

/** @throws RpcError `application` for the status ERROR; so do the other replies */
export function connectReply(response: ConnectionResponse): ConnectReply {
  const { identifiers, transmissions } = response
  if (statusOf(response) === 'failure') return { status: 'failure', transmissions }
  const { cstate } = response.env ?? noChanges
  return { status: 'success', connectionIdentifiers: identifiers, transmissions, cstate }
}

export function commandReply(response: CommandResponse): CommandReply {
  const { cstate, istate } = response.env ?? noChanges
  return {
    status: statusOf(response),
    disconnect: response.disconnect,
    stopAllStreams: response.stop_streams,
    stoppedStreams: response.stopped_streams as readonly StreamName[],
    streams: response.streams as readonly StreamName[],
    transmissions: response.transmissions,
    cstate,
    istate,
  }
}

/** FAILURE is not an error: nobody awaits the answer to a Disconnect. */
export function disconnectReply(response: DisconnectResponse): void {
  statusOf(response)
}

function statusOf({ status, error_msg: message }: Outcome): 'success' | 'failure' {
  if (status === 'SUCCESS') return 'success'
  if (status === 'FAILURE') return 'failure'
  throw errorReply(message)
}

/** @param message  may be empty */
export function errorReply(message: string): RpcError {
  return new RpcError('application', 'ran', message === '' ? 'the app replied ERROR without a reason' : message)
}
