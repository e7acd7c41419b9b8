/** The app, as a session calls it. */
import type { CommandCall, CommandReply, ConnectCall, ConnectReply, DisconnectCall } from '../../cable/rpc.ts'

/** Cancels a call. `AbortSignal` implements it; `Closed` takes less memory. */
export type Cancellation = {
  readonly aborted: boolean
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/**
 * The app, over any transport. Rejects with `RpcError` only.
 *
 * An aborted `signal` cancels a call that is not on the wire yet, with the code `aborted`. A call on the wire runs to
 * its deadline: the app is working on it, and its reply changes states and streams.
 */
export interface Rpc {
  /**
   * @param queueDeadline until when the call may wait in the queue where that is longer than usual, in ms of
   * `performance.now()`; read again while the call waits. Once out of the queue, the call has a whole timeout.
   */
  connect(call: ConnectCall, signal: Cancellation, queueDeadline?: () => number): Promise<ConnectReply>
  /** @param queueDeadline as above */
  command(call: CommandCall, signal: Cancellation, queueDeadline?: () => number): Promise<CommandReply>
  disconnect(call: DisconnectCall, signal: Cancellation): Promise<void>
  /** What the ends of calls say about the app; `repliedAt` in ms of `performance.now()`, `-Infinity` if never. */
  readonly presence: { readonly isAway: boolean; readonly repliedAt: number }
  /** How many calls may be in flight now. */
  readonly capacity: number
  /** How many calls wait in the queue. */
  readonly pending: number
  /** Finds out whether the app can be reached, and logs it: at the start, or where no call tells. */
  check(): Promise<void>
  /**
   * Fails every call without a reply, and every later one, with the code `aborted`: its outcome is `unknown` where the
   * call was on the wire, else `notRun`.
   */
  abort(): void
}
