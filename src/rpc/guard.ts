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
import type { Log } from '../ops/log.ts'
import type { Rpc } from '../station/ports.ts'
import { boundAfter, firstBound } from './bound.ts'
import { Permits, type Lane } from './permits.ts'
import { Presence, type PresenceSettings } from './presence.ts'
import { aborted, type Transport } from './transport.ts'

type GuardLimits = PresenceSettings & {
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

/** The pause before the second attempt; it doubles before each further one. */
const basePauseMs = { unavailable: 100, exhausted: 10 }
const readyWithinMs = 3_000
/** The budget of a call while the app is known to be away: a little more than it takes to find it once it is back. */
const awayBudgetMs = 1_500
/**
 * What an attempt is given at least, of the budget, and in ms: one that is sent with less may be given up while the app is
 * still at work on it, which then has more calls at a time than the bound says.
 */
const leastAttempt = { share: 1 / 3, ms: 1_000 }

/** Wraps a transport; the result is itself an `Rpc`. */
export class Guard implements Rpc {
  readonly #transport: Transport
  readonly #limits: GuardLimits
  readonly #meter: Meter
  readonly #presence: Presence
  readonly #permits: Permits
  #bound = firstBound

  constructor(transport: Transport, limits: GuardLimits, meter: Meter, log: Log) {
    this.#transport = transport
    this.#limits = limits
    this.#meter = meter
    this.#presence = new Presence(limits, log)
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
    if (problem === null) this.#presence.heard()
    else this.#presence.missed(problem)
  }

  connect(call: ConnectCall, signal: AbortSignal, turnBy?: () => number): Promise<ConnectReply> {
    const attempt = (deadline: number): Promise<ConnectReply> => this.#transport.connect(call, signal, deadline)
    return this.#run({ method: 'connect', lane: 'new', mayRepeat: true, signal, attempt, turnBy })
  }

  /** A perform that the app may have run is not run again: it is not known to be harmless. */
  command(call: CommandCall, signal: AbortSignal, turnBy?: () => number): Promise<CommandReply> {
    const attempt = (deadline: number): Promise<CommandReply> => this.#transport.command(call, signal, deadline)
    const mayRepeat = call.command !== 'message'
    return this.#run({ method: 'command', lane: 'connected', mayRepeat, signal, attempt, turnBy })
  }

  disconnect(call: DisconnectCall, signal: AbortSignal): Promise<void> {
    const attempt = (deadline: number): Promise<void> => this.#transport.disconnect(call, signal, deadline)
    return this.#run({ method: 'disconnect', lane: 'leaving', mayRepeat: true, signal, attempt })
  }

  /** One frame for all of it: this runs once for each message of a station. */
  async #run<Reply>(task: Task<Reply>): Promise<Reply> {
    const { method, signal, attempt } = task
    const startedAt = performance.now()
    let since = Date.now()
    this.#meter.count('rpc_call_total')
    try {
      if (signal.aborted) throw aborted()
      if (!this.#permits.take()) since = await this.#turn(task, since)
      let failure: RpcError | null = null
      for (let retries = 0; ; retries++) {
        try {
          const reply = await attempt(this.#deadline(since))
          this.#onAnswer()
          return reply
        } catch (error) {
          failure = this.#onFailure(error, failure)
        } finally {
          this.#permits.release()
        }
        since = await this.#pause(task, failure, retries, since)
      }
    } catch (error) {
      if (error instanceof RpcError) this.#count(error)
      throw error
    } finally {
      this.#meter.observe('rpc_call_seconds', { method }, (performance.now() - startedAt) / 1000)
    }
  }

  /**
   * Waits for a permit.
   *
   * @param since when the budget began
   * @returns since when it counts: what may wait past its own has a new one
   */
  async #turn({ lane, signal, turnBy }: Task<unknown>, since: number): Promise<number> {
    const last = (): number => this.#lastStart(since)
    try {
      await this.#permits.turn(lane, signal, turnBy === undefined ? last : () => Math.max(last(), turnBy()))
    } catch (error) {
      // A Disconnect is nobody's wait: it is made again later.
      if (error instanceof RpcError && error.code !== 'aborted' && lane !== 'leaving') this.#presence.overrun(error)
      throw error
    }
    return turnBy === undefined ? since : Date.now()
  }

  /** Of one call, by now. */
  get #budgetMs(): number {
    const { commandTimeoutMs } = this.#limits
    return this.#presence.isLongAbsent ? Math.min(awayBudgetMs, commandTimeoutMs) : commandTimeoutMs
  }

  /** Until when an attempt may begin. */
  #lastStart(since: number): number {
    const budgetMs = this.#budgetMs
    return since + budgetMs - Math.min(leastAttempt.ms, budgetMs * leastAttempt.share)
  }

  #deadline(since: number): number {
    const { requestTimeoutMs } = this.#limits
    const until = since + this.#budgetMs
    return requestTimeoutMs === 0 ? until : Math.min(until, Date.now() + requestTimeoutMs)
  }

  #onAnswer(): void {
    this.#presence.heard()
    this.#bound = boundAfter(this.#bound, 'answered', this.#permits.waiting > 0)
  }

  #onRefusal(): void {
    this.#presence.heard()
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
    else if (code !== 'aborted' && outcome === 'notRun') this.#presence.missed(error)
    else if (code === 'timeout') this.#presence.waitedInVain(error)
    return inSightOf(before, error)
  }

  /**
   * Ends with a new permit, or with the failure where there must be, or can be, no other attempt.
   *
   * @returns since when the budget counts
   */
  async #pause(task: Task<unknown>, failure: RpcError, retries: number, since: number): Promise<number> {
    const { signal } = task
    const pauseMs = pauseAfter(failure, retries, task)
    if (pauseMs === null) throw failure
    try {
      if (Date.now() + pauseMs > this.#lastStart(since)) throw failure
      await sleep(pauseMs, signal)
      // A busy event loop may have overslept.
      if (signal.aborted || Date.now() > this.#lastStart(since)) throw failure
      const begun = this.#permits.take() ? since : await this.#turn(task, since)
      this.#meter.count('rpc_retries_total')
      return begun
    } catch {
      if (signal.aborted) throw aborted(failure.outcome)
      if (failure.code === 'exhausted') this.#presence.refused(failure)
      throw failure
    }
  }

  /** ERROR is an answer; it is not counted here. */
  #count({ code, outcome }: RpcError): void {
    if (code === 'aborted') return this.#meter.count('rpc_canceled_total')
    if (outcome !== 'ran') this.#meter.count('rpc_error_total')
    if (code === 'timeout') this.#meter.count('rpc_timeout_total')
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
