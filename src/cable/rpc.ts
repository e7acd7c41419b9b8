/**
 * AnyCable's RPC contract: the calls of the bridge and the replies of the app.
 *
 * Pure: no I/O, no clock. Imports nothing outside `cable/`.
 * Source: AnyCable `etc/rpc.proto` (service `anycable.RPC`, protocol version v1).
 */

/** The key of a subscription: JSON text with `channel` in it, opaque once created. */
export type Identifier = string & { readonly __brand: 'Identifier' }

/** A stream that the app opened for a subscription, such as `ocpp:ev/SN1`. Compared exactly, never built here. */
export type StreamName = string & { readonly __brand: 'StreamName' }

/** `cstate` (of a connection) and `istate` (of a subscription): state of the app, stored between calls. */
export type State = Readonly<Record<string, string>>

/** Shared by all stations: objects of their own would take 220 bytes each. */
export const noState: State = {}

/** Sent with every call: the station's HTTP request as of the handshake, and the current state. */
export type SessionEnv = {
  /**
   * `http(s)://authority/path?query`, built from the validated parts of the request; a valid URI, or Ruby answers
   * ERROR.
   */
  readonly url: string
  /** Names are lower case, except `REMOTE_ADDR`. */
  readonly headers: State
  readonly cstate: State
  /** In a Command: the state of its identifier. In a Disconnect: maps each identifier to its state as JSON text. */
  readonly istate: State
}

/** Common to all calls of one session. `sid` is sent as metadata, and so is `trace`, for the app's own spans. */
export type Caller = { readonly sid: string; readonly env: SessionEnv; readonly trace?: State }

export type Command = {
  readonly command: 'subscribe' | 'unsubscribe' | 'message'
  readonly identifier: Identifier
  /** A JSON object for `message`, otherwise empty. */
  readonly data: string
}

export type ConnectCall = Caller & {
  /**
   * Whether the app accepted the station before with what it proves now: its place in the queue is before Connects of
   * other stations. Not sent.
   */
  readonly isReturning?: boolean
}
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

/** A connection that the app has accepted before the station's socket is open. */
export type Connected = { readonly sid: string; readonly reply: Extract<ConnectReply, { readonly status: 'success' }> }

/** The status ERROR is thrown instead, as an `RpcError` with the code `application`. */
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
 * - `unavailable`: no connection to `rpc_host`
 * - `exhausted`: the app, or the bridge's queue of calls to it, is full
 * - `timeout`: no reply within the deadline
 * - `application`: the app raised an error (status ERROR), or rejected the call as such
 * - `blocked`: not sent, because earlier messages of the station have to be performed first, and cannot be now
 * - `aborted`: the bridge ended the call, because its session ended or the bridge is stopping
 */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly code: 'unavailable' | 'exhausted' | 'timeout' | 'application' | 'blocked' | 'aborted'
  /** Whether the app ran the call: `notRun` certainly not, `unknown` maybe, `ran` certainly. */
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

/** Whether the app did not judge the call: it is unreachable, overloaded or silent, or the call was not sent. */
export function isAway({ code }: RpcError): boolean {
  return code !== 'application' && code !== 'aborted'
}

/** Whether the call may be retried: the app cannot have run it, and did not reject it as such. */
export function mayRepeat(error: RpcError): boolean {
  return error.outcome === 'notRun' && isAway(error)
}
