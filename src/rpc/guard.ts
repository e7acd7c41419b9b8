/**
 * What keeps the app from being overrun, and a fault of a moment from reaching a station: a bounded number of calls at a
 * time, one budget for each, and another attempt where the app cannot have run the first.
 *
 * Source: AnyCable `rpc/barrier.go` and `rpc/rpc.go`; unlike there, a permit is given back while a retry waits, pauses are
 * spread by chance, and those who wait are bounded in number and time.
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
import { boundAfter, firstBound } from './bound.ts'
import { Permits, type Lane } from './permits.ts'
import { aborted, type Transport } from './transport.ts'

type GuardLimits = {
  /** For log lines. */
  readonly host: string
  /** How many calls may be under way at once; 0: as many as the app turns out to take. */
  readonly concurrency: number
  /** Bounds one attempt; 0: only the budget does. */
  readonly requestTimeoutMs: number
  /**
   * The budget of a call: its turn to wait for, all attempts and the pauses between them. One that may wait longer for its
   * turn has it anew from then on.
   */
  readonly commandTimeoutMs: number
}

type Task<Reply> = {
  readonly method: 'connect' | 'command' | 'disconnect'
  readonly lane: Lane
  /** Whether the app may run it a second time. */
  readonly mayRepeat: boolean
  readonly signal: AbortSignal
  readonly attempt: (deadline: number) => Promise<Reply>
  /** As in `Rpc`. */
  readonly turnBy?: (() => number) | undefined
}

/** How a call fares: how often it has been made again, and when its budget ends (as `Date` counts). */
type Course = {
  readonly until: number
  /** When it ends once the app is known to be away. */
  readonly soon: number
  readonly retries: number
}

/** The pause before the second attempt; it doubles before each further one. */
const basePauseMs = { unavailable: 100, exhausted: 10 }
const readyWithinMs = 3_000
/** The budget of a call while the app is known to be away: a little more than it takes to find it once it is back. */
const awayBudgetMs = 1_500
/**
 * What an attempt is given at least, of the budget, and in ms: one that is sent with less is given up while the app is
 * still at work on it, which then has more calls at a time than the bound says.
 */
const leastAttempt = { share: 1 / 3, ms: 1_000 }

/** Wraps a transport; the result is itself an `Rpc`. */
export class Guard implements Rpc {
  readonly #transport: Transport
  readonly #limits: GuardLimits
  readonly #meter: Meter
  readonly #log: Log
  readonly #permits: Permits
  #bound = firstBound
  /** Since when no call can be sent, as `Date` counts; `null` while the app is there. */
  #absentSince: number | null = null
  /** A call has had no reply in time, and none has had one since. */
  #isSlow = false

  constructor(transport: Transport, limits: GuardLimits, meter: Meter, log: Log) {
    this.#transport = transport
    this.#limits = limits
    this.#meter = meter
    this.#log = log
    this.#permits = new Permits(() => this.capacity)
  }

  /** How many calls may be under way at once by now. */
  get capacity(): number {
    return this.#limits.concurrency || this.#bound.limit
  }

  /** How many calls wait for their turn. */
  get pending(): number {
    return this.#permits.waiting
  }

  /** Says so if the app cannot be reached at the start; the start does not wait for it. */
  async checkAtStart(): Promise<void> {
    const problem = await this.#transport.problem(readyWithinMs)
    if (problem === null) this.#heard()
    else this.#missed(problem)
  }

  connect(call: ConnectCall, signal: AbortSignal): Promise<ConnectReply> {
    const attempt = (deadline: number): Promise<ConnectReply> => this.#transport.connect(call, signal, deadline)
    return this.#run({ method: 'connect', lane: 'new', mayRepeat: true, signal, attempt })
  }

  /** A perform that the app may have run is not run again: it is not known to be harmless. */
  command(call: CommandCall, signal: AbortSignal, turnBy?: () => number): Promise<CommandReply> {
    const attempt = (deadline: number): Promise<CommandReply> => this.#transport.command(call, signal, deadline)
    const mayRepeat = call.command !== 'message'
    return this.#run({ method: 'command', lane: 'connected', mayRepeat, signal, attempt, turnBy })
  }

  disconnect(call: DisconnectCall, signal: AbortSignal): Promise<void> {
    const attempt = (deadline: number): Promise<void> => this.#transport.disconnect(call, signal, deadline)
    return this.#run({ method: 'disconnect', lane: 'connected', mayRepeat: true, signal, attempt })
  }

  /** One frame for all of it: this runs once for each message of a station. */
  async #run<Reply>(task: Task<Reply>): Promise<Reply> {
    const { method, signal, attempt } = task
    const startedAt = performance.now()
    let until = Date.now() + this.#limits.commandTimeoutMs
    this.#meter.count('rpc_call_total')
    try {
      if (signal.aborted) throw aborted()
      if (!this.#permits.take()) until = await this.#turn(task, until)
      const soon = Date.now() + awayBudgetMs
      let failure: RpcError | null = null
      for (let retries = 0; ; retries++) {
        try {
          const reply = await attempt(this.#deadline(until))
          this.#onAnswer()
          return reply
        } catch (error) {
          failure = this.#onFailure(error, failure)
        } finally {
          this.#permits.release()
        }
        until = await this.#pause(task, failure, { retries, soon, until })
      }
    } catch (error) {
      if (error instanceof RpcError) this.#count(error)
      throw error
    } finally {
      this.#meter.observe('rpc_call_seconds', { method }, (performance.now() - startedAt) / 1000)
    }
  }

  /** Waits for a permit, and gives back when the budget ends: what waited past its own has a new one. */
  async #turn({ lane, signal, turnBy }: Task<unknown>, until: number): Promise<number> {
    const { commandTimeoutMs } = this.#limits
    const last = until - Math.min(leastAttempt.ms, commandTimeoutMs * leastAttempt.share)
    await this.#permits.turn(lane, signal, turnBy === undefined ? () => last : () => Math.max(last, turnBy()))
    return turnBy === undefined ? until : Math.max(until, Date.now() + commandTimeoutMs)
  }

  #deadline(until: number): number {
    const { requestTimeoutMs } = this.#limits
    return requestTimeoutMs === 0 ? until : Math.min(until, Date.now() + requestTimeoutMs)
  }

  #onAnswer(): void {
    this.#heard()
    this.#bound = boundAfter(this.#bound, 'answered', this.#permits.waiting > 0)
  }

  #onRefusal(): void {
    this.#heard()
    this.#bound = boundAfter(this.#bound, 'refused', this.#permits.waiting > 0)
  }

  /**
   * One lost call or a slow one says nothing of the next; that no call could be sent does.
   *
   * @returns the failure as it stands after those before it; what is no `RpcError` is thrown on
   */
  #onFailure(error: unknown, before: RpcError | null): RpcError {
    if (!(error instanceof RpcError)) throw error
    const { code, outcome } = error
    if (code === 'application') this.#onAnswer()
    else if (code === 'exhausted') this.#onRefusal()
    else if (code !== 'aborted' && outcome === 'notRun') this.#missed(error)
    else if (code === 'timeout') this.#waitedInVain(error)
    return inSightOf(before, error)
  }

  /**
   * Ends with a new permit, or with the failure where there must be, or can be, no other attempt.
   *
   * @returns when the budget ends
   */
  async #pause(task: Task<unknown>, failure: RpcError, { retries, soon, until }: Course): Promise<number> {
    const { signal } = task
    const pauseMs = pauseAfter(failure, retries, task)
    const last = this.#isLongAbsent() ? Math.min(soon, until) : until
    if (pauseMs === null || Date.now() + pauseMs >= last) throw failure
    try {
      await sleep(pauseMs, signal)
      if (signal.aborted) throw failure
      const end = this.#permits.take() ? until : await this.#turn(task, until)
      this.#meter.count('rpc_retries_total')
      return end
    } catch {
      throw signal.aborted ? aborted(failure.outcome) : failure
    }
  }

  /** ERROR is an answer; it is not counted here. */
  #count({ code, outcome }: RpcError): void {
    if (code === 'aborted') return this.#meter.count('rpc_canceled_total')
    if (outcome !== 'ran') this.#meter.count('rpc_error_total')
    if (code === 'timeout') this.#meter.count('rpc_timeout_total')
  }

  #missed(error: RpcError): void {
    if (this.#absentSince !== null) return
    this.#absentSince = Date.now()
    const { host } = this.#limits
    // Somebody answers there, and its answer says what to do.
    const remedy =
      error.code === 'application' ? error.message : 'start it with `bundle exec anycable`, or set --rpc_host'
    this.#log.warn({ error }, `the app does not answer at ${host}: ${remedy}`)
  }

  /** A hung app is connected, and yet says nothing. */
  #waitedInVain(error: RpcError): void {
    if (this.#isSlow || this.#absentSince !== null) return
    this.#isSlow = true
    this.#log.warn({ error }, `the app does not reply in time at ${this.#limits.host}: is it hung, or overloaded?`)
  }

  /** Longer than a whole call may take: every further one finds out soon whether the app is back. */
  #isLongAbsent(): boolean {
    return this.#absentSince !== null && Date.now() - this.#absentSince >= this.#limits.commandTimeoutMs
  }

  #heard(): void {
    if (this.#absentSince === null && !this.#isSlow) return
    this.#absentSince = null
    this.#isSlow = false
    this.#log.info({}, `the app answers at ${this.#limits.host}`)
  }
}

/**
 * Doubled with each attempt, less up to half by chance, so that calls that failed together do not come back together.
 * `null` where there must be no other attempt: after a timeout or an answer, and where the app may have run what it must
 * not run twice.
 */
function pauseAfter({ code, outcome }: RpcError, retries: number, { mayRepeat }: Task<unknown>): number | null {
  if (code !== 'unavailable' && code !== 'exhausted') return null
  if (outcome !== 'notRun' && !mayRepeat) return null
  return basePauseMs[code] * 2 ** retries * (1 - Math.random() / 2)
}

/** A failure as it stands after an earlier attempt: what may have run then may have run. */
function inSightOf(before: RpcError | null, failure: RpcError): RpcError {
  if (before?.outcome !== 'unknown' || failure.outcome !== 'notRun') return failure
  return new RpcError(failure.code, 'unknown', failure.message, { cause: before })
}

/** Ends early where the signal is aborted. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise(resolve => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
  })
}
