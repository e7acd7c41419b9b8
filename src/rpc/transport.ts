/**
 * A transport to the app, as the guard uses it: one attempt for each call, no queue, no retry.
 */
import {
  RpcError,
  type Caller,
  type Command,
  type CommandCall,
  type CommandReply,
  type ConnectCall,
  type ConnectReply,
  type DisconnectCall,
} from '../cable/rpc.ts'
import { maskCredentials, maskValues } from '../ops/redact/credentials.ts'
import { secretsIn } from '../ops/redact/redact.ts'
import type { Cancellation } from '../session/ports.ts'

/**
 * Rejects with `RpcError` only.
 *
 * `signal` skips a call that is not on the wire yet, with the code `aborted`. At its `deadline`, in ms of the monotonic
 * clock (`performance.now()`), an attempt fails with `timeout`; by default it has none.
 */
export interface Transport {
  connect(call: ConnectCall, signal: Cancellation, deadline?: number): Promise<ConnectReply>
  command(call: CommandCall, signal: Cancellation, deadline?: number): Promise<CommandReply>
  disconnect(call: DisconnectCall, signal: Cancellation, deadline?: number): Promise<void>
  /** Resolves with `null` once the app can be reached, or after `withinMs` with the reason why it cannot. */
  problem(withinMs: number): Promise<RpcError | null>
  /** As `Rpc.abort`. */
  abort(): void
}

export interface OpenTransport extends Transport {
  /** Whether a call could be sent now, as far as is known. */
  isConnected(): boolean
  /** Fails the calls that are not sent yet; those on the wire run to their end. May be called twice. */
  close(): Promise<void>
}

/** In bytes; `Infinity` for none. A call above its limit is not sent, a reply above its limit is not read. */
export type SizeLimits = { readonly sent: number; readonly received: number }

/** gRPC's own defaults. */
export const defaultLimits: SizeLimits = { sent: Infinity, received: 4 * 2 ** 20 }

export function aborted(outcome: RpcError['outcome'] = 'notRun'): RpcError {
  return new RpcError('aborted', outcome, 'the session ended, or the bridge is stopping')
}

export function closed(): RpcError {
  return new RpcError('unavailable', 'notRun', 'the connection to the app is closed', { isLocal: true })
}

/**
 * Most transmissions, streams and state keys of one reply together. A station may have 1,000 streams, and fewer
 * commands than that can wait for it. Two million of them fit into 4 MiB.
 */
export const maxReplyItems = 1_000

export function tooManyItems(): RpcError {
  const message = `the reply has more than ${maxReplyItems} transmissions, streams and state keys`
  return new RpcError('application', 'ran', message, { isLocal: true })
}

export function tooLarge(bytes: number, { sent }: SizeLimits): RpcError {
  const message = `the call has ${bytes} bytes, but rpc_max_call_send_size is ${sent}`
  return new RpcError('application', 'notRun', message, { isLocal: true })
}

/** Of an error, in characters: each is searched for every secret. */
const maxErrorText = 16_384

/**
 * An error without what the app's text repeats of the station's credentials and cookies, and of the secrets in the
 * message that it was given: it is logged, stored and shown. A long text is cut.
 *
 * @param call with the message, if it is for one
 */
export function withoutSecrets(error: unknown, { env, data = '' }: Caller & Partial<Pick<Command, 'data'>>): unknown {
  if (!(error instanceof RpcError)) return error
  const { authorization = '', cookie = '' } = env.headers
  const text = error.message.slice(0, maxErrorText)
  const left = error.message.length - text.length
  const secrets = [...cookiesIn(cookie), ...secretsIn(data)]
  const shown = maskValues(maskCredentials(text, authorization), secrets)
  const message = left === 0 ? shown : `${shown}...(${left})`
  if (message === error.message) return error
  return new RpcError(error.code, error.outcome, message, { cause: error.cause, isLocal: error.isLocal })
}

function cookiesIn(header: string): string[] {
  return header.split(/;\s*/).map(cookie => cookie.slice(cookie.indexOf('=') + 1))
}
