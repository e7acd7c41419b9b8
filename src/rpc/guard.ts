/**
 * What keeps the app from being overrun, and a fault of a moment from reaching a station: a bounded number of calls at
 * a time, a budget for each, and another attempt where the app cannot have run the first.
 *
 * Source: AnyCable `rpc/barrier.go` and `rpc/rpc.go`; unlike them, a permit is given back while a retry waits, and the
 * number of those who wait is bounded.
 */
import {
  RpcError,
  type CommandCall,
  type CommandReply,
  type ConnectCall,
  type ConnectReply,
  type DisconnectCall,
} from '../cable/rpc.ts'
import type { Meter } from '../ops/metrics.ts'
import type { Log, Rpc } from '../station/ports.ts'
import { Permits } from './permits.ts'

/** A way to reach the app: each call is one attempt, until `deadline` (as `Date` counts). Rejects with `RpcError`. */
export interface Transport {
  connect(call: ConnectCall, deadline: number): Promise<ConnectReply>
  command(call: CommandCall, deadline: number): Promise<CommandReply>
  disconnect(call: DisconnectCall, deadline: number): Promise<void>
  /** Whether the app can be reached, as soon as that is known; `false` after `withinMs`. */
  ready(withinMs: number): Promise<boolean>
}

export type GuardLimits = {
  /** For log lines. */
  readonly host: string
  /** Calls under way at once. */
  readonly concurrency: number
  /** Bounds one attempt; 0: only the budget does. */
  readonly requestTimeoutMs: number
  /** The budget of a call: its turn to wait for, all attempts and the pauses between them. */
  readonly commandTimeoutMs: number
}

type Job<Reply> = {
  readonly attempt: (deadline: number) => Promise<Reply>
  /** Whether the app may run it twice. */
  readonly isRepeatable: boolean
  readonly isUrgent: boolean
}

/** The first pause before another attempt; each further one is twice as long. */
const basePauseMs = { unavailable: 100, exhausted: 10 }
const readyWithinMs = 3_000

/** Wraps a transport; the result is itself an `Rpc`. */
export class Guard implements Rpc {
  readonly #transport: Transport
  readonly #limits: GuardLimits
  readonly #meter: Meter
  readonly #log: Log
  readonly #permits: Permits
  #isDown = false

  constructor(transport: Transport, limits: GuardLimits, meter: Meter, log: Log) {
    this.#transport = transport
    this.#limits = limits
    this.#meter = meter
    this.#log = log
    this.#permits = new Permits(limits.concurrency)
  }

  /** How many calls wait for their turn. */
  get pending(): number {
    return this.#permits.waiting
  }

  /** Says once if the app cannot be reached at the start; the start does not wait for it. */
  async checkAtStart(): Promise<void> {
    if (!(await this.#transport.ready(readyWithinMs))) this.#onDown(new Error('no connection'))
  }

  connect(call: ConnectCall, signal: AbortSignal): Promise<ConnectReply> {
    const attempt = (deadline: number): Promise<ConnectReply> => this.#transport.connect(call, deadline)
    return this.#run({ attempt, isRepeatable: true, isUrgent: false }, signal)
  }

  /** A perform is not run again where the app may have run it: it is not known to be harmless. */
  command(call: CommandCall, signal: AbortSignal): Promise<CommandReply> {
    const attempt = (deadline: number): Promise<CommandReply> => this.#transport.command(call, deadline)
    return this.#run({ attempt, isRepeatable: call.command !== 'message', isUrgent: true }, signal)
  }

  disconnect(call: DisconnectCall, signal: AbortSignal): Promise<void> {
    const attempt = (deadline: number): Promise<void> => this.#transport.disconnect(call, deadline)
    return this.#run({ attempt, isRepeatable: true, isUrgent: true }, signal)
  }

  async #run<Reply>(job: Job<Reply>, signal: AbortSignal): Promise<Reply> {
    this.#meter.count('rpc_call_total')
    const until = Date.now() + this.#limits.commandTimeoutMs
    try {
      return await this.#withRetries(job, signal, until)
    } catch (error) {
      this.#onFailure(error)
      throw error
    }
  }

  async #withRetries<Reply>(job: Job<Reply>, signal: AbortSignal, until: number): Promise<Reply> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#attempt(job, signal, until)
      } catch (error) {
        const pauseMs = pauseBefore(error, job, tries)
        if (pauseMs === null || Date.now() + pauseMs >= until) throw error
        await pause(pauseMs, signal)
        this.#meter.count('rpc_retries_total')
      }
    }
  }

  async #attempt<Reply>(job: Job<Reply>, signal: AbortSignal, until: number): Promise<Reply> {
    await this.#permits.take(job.isUrgent, signal, until)
    try {
      const { requestTimeoutMs } = this.#limits
      const deadline = requestTimeoutMs > 0 ? Math.min(until, Date.now() + requestTimeoutMs) : until
      const reply = await job.attempt(deadline)
      this.#onUp()
      return reply
    } catch (error) {
      if (error instanceof RpcError && error.code === 'application') this.#onUp()
      if (error instanceof RpcError && error.code === 'unavailable') this.#onDown(error)
      throw error
    } finally {
      this.#permits.give()
    }
  }

  #onFailure(error: unknown): void {
    if (!(error instanceof RpcError) || error.code === 'application') return
    if (error.code === 'aborted') this.#meter.count('rpc_canceled_total')
    else this.#meter.count('rpc_error_total')
    if (error.code === 'timeout') this.#meter.count('rpc_timeout_total')
  }

  #onDown(error: Error): void {
    if (this.#isDown) return
    this.#isDown = true
    const { host } = this.#limits
    this.#log.warn(
      { error },
      `the app does not answer at ${host}: start it with \`bundle exec anycable\`, or set --rpc_host`,
    )
  }

  #onUp(): void {
    if (!this.#isDown) return
    this.#isDown = false
    this.#log.info({}, `the app answers at ${this.#limits.host}`)
  }
}

/** How long to wait before the next attempt, half of it by chance; `null` where there must be none. */
function pauseBefore(error: unknown, { isRepeatable }: Job<unknown>, tries: number): number | null {
  if (!(error instanceof RpcError) || (error.code !== 'unavailable' && error.code !== 'exhausted')) return null
  if (error.outcome !== 'notRun' && !isRepeatable) return null
  return basePauseMs[error.code] * 2 ** (tries - 1) * (0.5 + Math.random() / 2)
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      if (signal.aborted) reject(new RpcError('aborted', 'notRun', 'the session has ended'))
      else resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end, { once: true })
  })
}
