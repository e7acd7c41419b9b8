/**
 * A way to reach the app, as the guard uses it: one attempt per call, no waiting in line, no second try.
 */
import type { CommandCall, CommandReply, ConnectCall, ConnectReply, DisconnectCall } from '../cable/rpc.ts'
import type { Rpc } from '../station/ports.ts'

/** `deadline` is when the attempt ends with `timeout`, as `Date` counts; without it there is no end. */
export interface Transport extends Rpc {
  connect(call: ConnectCall, signal: AbortSignal, deadline?: number): Promise<ConnectReply>
  command(call: CommandCall, signal: AbortSignal, deadline?: number): Promise<CommandReply>
  disconnect(call: DisconnectCall, signal: AbortSignal, deadline?: number): Promise<void>
  /** Whether the app can be reached, as soon as that is known; `false` after `withinMs`. */
  ready(withinMs: number): Promise<boolean>
}
