/**
 * The way to the app, as long as there is time: after that no call is made, and none is waited for.
 *
 * A call on the wire runs to its deadline at the edge; here nobody waits for it any longer.
 */
import {
  RpcError,
  type CommandCall,
  type CommandReply,
  type ConnectCall,
  type ConnectReply,
  type DisconnectCall,
} from '../cable/rpc.ts'
import type { Rpc } from './ports.ts'

export class EndableRpc implements Rpc {
  readonly #rpc: Rpc
  readonly #open = new Set<(error: RpcError) => void>()
  #hasEnded = false

  constructor(rpc: Rpc) {
    this.#rpc = rpc
  }

  connect(call: ConnectCall, signal: AbortSignal, turnBy?: () => number): Promise<ConnectReply> {
    return this.#untilEnd(() => this.#rpc.connect(call, signal, turnBy))
  }

  command(call: CommandCall, signal: AbortSignal, turnBy?: () => number): Promise<CommandReply> {
    return this.#untilEnd(() => this.#rpc.command(call, signal, turnBy))
  }

  disconnect(call: DisconnectCall, signal: AbortSignal): Promise<void> {
    return this.#untilEnd(() => this.#rpc.disconnect(call, signal))
  }

  /** Calls without a reply reject now, and all further ones at once, with the code `aborted`. */
  end(): void {
    this.#hasEnded = true
    for (const reject of this.#open) reject(noTime('unknown'))
    this.#open.clear()
  }

  #untilEnd<Reply>(make: () => Promise<Reply>): Promise<Reply> {
    if (this.#hasEnded) return Promise.reject(noTime('notRun'))
    return new Promise((resolve, reject) => {
      this.#open.add(reject)
      const settled = (): void => void this.#open.delete(reject)
      const reply = make()
      reply.then(settled, settled)
      reply.then(resolve, reject)
    })
  }
}

function noTime(outcome: RpcError['outcome']): RpcError {
  return new RpcError('aborted', outcome, 'no time was left')
}
