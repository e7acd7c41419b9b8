/**
 * Calls to the app with a span each. Only where traces are on: it stands before the guard, so that a span lasts from
 * the queue to the reply, all attempts included.
 */
import type { CommandCall, CommandReply, ConnectCall, ConnectReply, DisconnectCall } from '../cable/rpc.ts'
import type { Traces } from '../ops/reporting/traces.ts'
import type { Cancellation, Rpc } from '../session/ports.ts'

export class TracedRpc implements Rpc {
  readonly #rpc: Rpc
  readonly #traces: Pick<Traces, 'ofRpc'>

  constructor(rpc: Rpc, traces: Pick<Traces, 'ofRpc'>) {
    this.#rpc = rpc
    this.#traces = traces
  }

  connect(call: ConnectCall, signal: Cancellation, queueDeadline?: () => number): Promise<ConnectReply> {
    return this.#traces.ofRpc('Connect', trace => this.#rpc.connect({ ...call, trace }, signal, queueDeadline))
  }

  command(call: CommandCall, signal: Cancellation, queueDeadline?: () => number): Promise<CommandReply> {
    return this.#traces.ofRpc('Command', trace => this.#rpc.command({ ...call, trace }, signal, queueDeadline))
  }

  disconnect(call: DisconnectCall, signal: Cancellation): Promise<void> {
    return this.#traces.ofRpc('Disconnect', trace => this.#rpc.disconnect({ ...call, trace }, signal))
  }

  get presence(): Rpc['presence'] {
    return this.#rpc.presence
  }

  get capacity(): number {
    return this.#rpc.capacity
  }

  get pending(): number {
    return this.#rpc.pending
  }

  check(): Promise<void> {
    return this.#rpc.check()
  }

  abort(): void {
    this.#rpc.abort()
  }
}
