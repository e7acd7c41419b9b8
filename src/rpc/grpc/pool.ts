/**
 * All connections to the app: whose turn it is, and the calls that wait while there is none.
 */
import { RpcError } from '../../cable/rpc.ts'
import { withRemedy } from '../trust.ts'
import { atDeadline, clear } from './deadline.ts'
import type { Host } from './host.ts'
import type { Link } from './link.ts'

type Waiter = {
  /** Until the end, also where there is no hope at the moment. */
  readonly isPatient: boolean
  readonly timer: NodeJS.Timeout | null
  readonly resolve: (link: Link) => void
  readonly reject: (error: RpcError) => void
}

export class Pool {
  readonly #hosts: readonly Host[]
  readonly #waiters = new Set<Waiter>()
  #links: readonly Link[] = []
  #turn = 0
  #isClosed = false

  /** @param open  makes the hosts, which tell of each change of a line */
  constructor(open: (changed: () => void) => readonly Host[]) {
    this.#hosts = open(() => this.#onChange())
  }

  /** Whose turn it is; `null` where no call can be sent now. */
  next(): Link | null {
    const { length } = this.#links
    for (let tries = 0; tries < length; tries++) {
      this.#turn = (this.#turn + 1) % length
      const link = this.#links[this.#turn]
      if (link?.isOpen === true) return link
    }
    return null
  }

  /** Rejects where there is none by the deadline, and at once where there is none and none may be soon. */
  link(deadline: number): Promise<Link> {
    return this.#wait(deadline, false)
  }

  /** `null` as soon as there is a connection; else why not, at the deadline. */
  async problem(deadline: number): Promise<RpcError | null> {
    try {
      await this.#wait(deadline, true)
      return null
    } catch (error) {
      return error instanceof RpcError && error.code === 'timeout' ? (this.#whyNot() ?? error) : (error as RpcError)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#links = []
    for (const host of this.#hosts) host.close()
    this.#serveWaiters()
  }

  #wait(deadline: number, isPatient: boolean): Promise<Link> {
    return new Promise((resolve, reject) => {
      const timer = atDeadline(deadline, () => this.#onDeadline(waiter))
      const waiter = { isPatient, timer, resolve, reject }
      this.#waiters.add(waiter)
      this.#serve(waiter)
    })
  }

  #onChange(): void {
    if (this.#isClosed) return
    this.#links = this.#hosts.flatMap(host => host.lines.map(line => line.link)).filter(link => link !== null)
    this.#serveWaiters()
  }

  #serveWaiters(): void {
    for (const waiter of this.#waiters) this.#serve(waiter)
  }

  #serve(waiter: Waiter): void {
    const link = this.next()
    if (link !== null) {
      this.#dismiss(waiter)
      waiter.resolve(link)
    } else if (this.#isClosed) {
      this.#dismiss(waiter)
      waiter.reject(new RpcError('unavailable', 'notRun', 'the connection to the app is closed'))
    } else if (!waiter.isPatient && !this.#hosts.some(host => host.isHopeful)) {
      this.#dismiss(waiter)
      waiter.reject(this.#whyNot() ?? new RpcError('unavailable', 'notRun', 'gRPC: No connection'))
    }
  }

  #onDeadline(waiter: Waiter): void {
    this.#dismiss(waiter)
    const problem = this.#problem()
    const said = `gRPC: no connection in time${problem === null ? '' : `: ${problem}`}`
    waiter.reject(new RpcError('timeout', 'notRun', withRemedy(said)))
  }

  #dismiss(waiter: Waiter): void {
    this.#waiters.delete(waiter)
    clear(waiter.timer)
  }

  #problem(): string | null {
    return this.#hosts.map(host => host.problem).find(problem => problem !== null) ?? null
  }

  #whyNot(): RpcError | null {
    const problem = this.#problem()
    return problem === null
      ? null
      : new RpcError('unavailable', 'notRun', withRemedy(`gRPC: No connection: ${problem}`))
  }
}
