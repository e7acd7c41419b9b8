/**
 * AnyCable's RPC contract in its own words: what the bridge asks of the app, and what the app answers.
 *
 * Pure: no I/O, no clock. Imports nothing outside `cable/`.
 * Source: AnyCable `etc/rpc.proto` (service `anycable.RPC`, protocol version v1).
 */

/** The channel's identifier: a JSON text with `channel` in it, the key of the subscription, opaque after it is made. */
export type Identifier = string & { readonly __brand: 'Identifier' }

/** A stream the app let a subscription listen to, such as `ocpp:ev/SN1`. Compared exactly, never computed here. */
export type StreamName = string & { readonly __brand: 'StreamName' }

/** `cstate` (a connection's) and `istate` (a subscription's): the app's own notes, kept for it between two calls. */
export type State = Readonly<Record<string, string>>

/** What every call carries of the station's HTTP request, as it stood at the handshake, and the state so far. */
export type SessionEnv = {
  /** `http(s)://Host` and the request target as received: a valid URI, or Ruby answers ERROR. */
  readonly url: string
  /** Lower-case names, and `REMOTE_ADDR` in capitals. */
  readonly headers: State
  readonly cstate: State
  /** In a Command: the state of that identifier. In a Disconnect: identifier -> its state as a JSON text. */
  readonly istate: State
}

/** What all calls of one session have in common; `sid` travels as metadata. */
export type Caller = { readonly sid: string; readonly env: SessionEnv }

export type Command = {
  readonly command: 'subscribe' | 'unsubscribe' | 'message'
  readonly identifier: Identifier
  /** A JSON object for `message`, empty for the others. */
  readonly data: string
}

export type ConnectCall = Caller
export type CommandCall = Caller & Command & { readonly connectionIdentifiers: string }
export type DisconnectCall = Caller & {
  readonly connectionIdentifiers: string
  readonly subscriptions: readonly Identifier[]
}

export type ConnectReply =
  | {
      readonly status: 'success'
      readonly connectionIdentifiers: string
      readonly transmissions: readonly string[]
      readonly cstate: State
    }
  | { readonly status: 'failure'; readonly transmissions: readonly string[] }

/** The status ERROR is not here: it is thrown, as `RpcError` with the code `application`. */
export type CommandReply = {
  readonly status: 'success' | 'failure'
  readonly disconnect: boolean
  readonly stopAllStreams: boolean
  readonly stoppedStreams: readonly StreamName[]
  readonly streams: readonly StreamName[]
  readonly transmissions: readonly string[]
  readonly cstate: State
  readonly istate: State
}

/**
 * Why the app gave no reply. Callers branch on `code` and `outcome`; `message` and `cause` are for the log.
 *
 * - `unavailable`: nobody answers at `rpc_host`
 * - `exhausted`: the app, or the bridge's own queue for it, is full
 * - `timeout`: no reply within the deadline
 * - `application`: the app ran and raised (status ERROR), or the call itself was refused
 * - `aborted`: the bridge ended the call, because its session ended or the bridge is stopping
 */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly code: 'unavailable' | 'exhausted' | 'timeout' | 'application' | 'aborted'
  /** Whether the app can have run the call: `notRun` is certain, `unknown` may have run, `ran` has. */
  readonly outcome: 'notRun' | 'unknown' | 'ran'
  /** Whether the bridge ended the call by itself: such an error does not tell whether the app is there. */
  readonly isLocal: boolean

  constructor(code: RpcError['code'], outcome: RpcError['outcome'], message: string, options: RpcErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.outcome = outcome
    this.isLocal = options.isLocal ?? code === 'aborted'
  }
}

type RpcErrorOptions = ErrorOptions & { readonly isLocal?: boolean }

/** Whether the app gave no verdict on a call: it is unreachable, overloaded or silent. */
export function isAway({ code }: RpcError): boolean {
  return code !== 'application' && code !== 'aborted'
}

/** Whether the same call may be made again: the app cannot have run it, and did not refuse it for what it is. */
export function mayRepeat(error: RpcError): boolean {
  return error.outcome === 'notRun' && isAway(error)
}
