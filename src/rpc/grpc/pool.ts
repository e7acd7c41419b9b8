/**
 * All connections to the app: whose turn it is, and the calls that wait while there is none.
 */
import { RpcError } from '../../cable/rpc.ts'
import { atDeadline, clear } from '../deadline.ts'
import type { Ask, Carrier } from '../service.ts'
import { aborted, closed } from '../transport.ts'
import type { Host } from './host.ts'
import type { Link } from './link.ts'

type Waiter = {
  /** Until the end, also where there is no hope at the moment. */
  readonly isPatient: boolean
  readonly timer: NodeJS.Timeout | null
  readonly settle: (found: Link | RpcError) => void
}

export class Pool implements Carrier {
  readonly #hosts: readonly Host[]
  readonly #waiters = new Set<Waiter>()
  #links: readonly Link[] = []
  #turn = 0
  #isClosed = false

  /** @param open  makes the hosts, which tell of each change of an address */
  constructor(open: (changed: () => void) => readonly Host[]) {
    this.#hosts = open(() => this.#onChange())
  }

  /** One frame for all of it: this runs once for each message of a station. */
  async send<Reply>(ask: Ask, replyOf: (bytes: Buffer) => Reply, signal: AbortSignal): Promise<Reply> {
    for (let mayRepeat = true; ; mayRepeat = false) {
      const link = this.#next() ?? (await this.#link(ask.deadline))
      if (signal.aborted) throw aborted()
      try {
        return replyOf(await link.call(ask))
      } catch (error) {
        if (!mayRepeat || !wasRefused(error)) throw error
      }
    }
  }

  isConnected(): boolean {
    return this.#next() !== null
  }

  async problem(withinMs: number): Promise<RpcError | null> {
    const found = await this.#wait(Date.now() + withinMs, true)
    if (!(found instanceof RpcError)) return null
    return found.code === 'timeout' ? (this.#whyNot() ?? found) : found
  }

  close(): void {
    this.#isClosed = true
    this.#links = []
    for (const host of this.#hosts) host.close()
    this.#serveWaiters()
  }

  /** Whose turn it is; `null` where no call can be sent now. */
  #next(): Link | null {
    const { length } = this.#links
    for (let tries = 0; tries < length; tries++) {
      this.#turn = (this.#turn + 1) % length
      const link = this.#links[this.#turn]
      if (link?.isOpen === true) return link
    }
    return null
  }

  /** Rejects where there is none by the deadline, and at once where there is none and none may be soon. */
  async #link(deadline: number): Promise<Link> {
    const found = await this.#wait(deadline, false)
    if (found instanceof RpcError) throw found
    return found
  }

  #wait(deadline: number, isPatient: boolean): Promise<Link | RpcError> {
    return new Promise(settle => {
      const timer = atDeadline(deadline, () => this.#onDeadline(waiter))
      const waiter = { isPatient, timer, settle }
      this.#waiters.add(waiter)
      this.#serve(waiter)
    })
  }

  #onChange(): void {
    if (this.#isClosed) return
    this.#links = this.#hosts.flatMap(host => host.addresses.map(({ link }) => link)).filter(link => link !== null)
    this.#serveWaiters()
  }

  #serveWaiters(): void {
    for (const waiter of this.#waiters) this.#serve(waiter)
  }

  #serve(waiter: Waiter): void {
    const link = this.#next()
    if (link !== null) this.#dismiss(waiter, link)
    else if (this.#isClosed) this.#dismiss(waiter, closed())
    else if (!waiter.isPatient && !this.#hosts.some(host => host.isHopeful))
      this.#dismiss(waiter, this.#whyNot() ?? new RpcError('unavailable', 'notRun', 'gRPC: No connection'))
  }

  #onDeadline(waiter: Waiter): void {
    const problem = this.#problem()
    const said = `gRPC: no connection in time${problem === null ? '' : `: ${problem}`}`
    this.#dismiss(waiter, new RpcError('timeout', 'notRun', said))
  }

  #dismiss(waiter: Waiter, found: Link | RpcError): void {
    this.#waiters.delete(waiter)
    clear(waiter.timer)
    waiter.settle(found)
  }

  #problem(): string | null {
    return this.#hosts.map(host => host.problem).find(problem => problem !== null) ?? null
  }

  #whyNot(): RpcError | null {
    const problem = this.#problem()
    return problem === null ? null : new RpcError('unavailable', 'notRun', `gRPC: No connection: ${problem}`)
  }
}

/** On a connection that was about to end: the call is made again on the next, once. */
function wasRefused(error: unknown): boolean {
  return error instanceof RpcError && error.code === 'unavailable' && error.outcome === 'notRun'
}
