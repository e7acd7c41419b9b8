/**
 * A way to reach the app, as the guard uses it: one attempt per call, no waiting in line, no second try.
 */
import {
  RpcError,
  type CommandCall,
  type CommandReply,
  type ConnectCall,
  type ConnectReply,
  type DisconnectCall,
} from '../cable/rpc.ts'

/**
 * Rejects with `RpcError` only. `signal` skips a call that is not on the wire yet, with the code `aborted`. `deadline` is
 * when the attempt ends with `timeout`, as `Date` counts; without it there is no end.
 */
export interface Transport {
  connect(call: ConnectCall, signal: AbortSignal, deadline?: number): Promise<ConnectReply>
  command(call: CommandCall, signal: AbortSignal, deadline?: number): Promise<CommandReply>
  disconnect(call: DisconnectCall, signal: AbortSignal, deadline?: number): Promise<void>
  /** `null` as soon as the app can be reached; else, after `withinMs`, what keeps it from being. */
  problem(withinMs: number): Promise<RpcError | null>
}

export interface OpenTransport extends Transport {
  /** Whether a call could be sent now, as far as it is known. */
  isConnected(): boolean
  /** Calls that are not sent fail; those that are run to their end. May be called twice. */
  close(): Promise<void>
}

/** In bytes; `Infinity`: none. Over it, a call is not sent, and a reply is not read. */
export type SizeLimits = { readonly sent: number; readonly received: number }

/** gRPC's own. */
export const defaultLimits: SizeLimits = { sent: Infinity, received: 4 * 2 ** 20 }

/** Why a call must not be sent, if it must not: its session has ended, or it is too large. */
export function refusalOf(bytes: number, signal: AbortSignal, { sent }: SizeLimits): RpcError | null {
  if (signal.aborted) return aborted()
  if (bytes <= sent) return null
  return new RpcError('application', 'notRun', `the call has ${bytes} bytes, and rpc_max_call_send_size is ${sent}`)
}

export function aborted(outcome: RpcError['outcome'] = 'notRun'): RpcError {
  return new RpcError('aborted', outcome, 'the session ended first')
}

export function closed(): RpcError {
  return new RpcError('unavailable', 'notRun', 'the connection to the app is closed')
}
