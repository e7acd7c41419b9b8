/**
 * Protects the app from overload, and the stations from a short fault: a limit of calls in flight, one time budget for
 * each call, and retries where the app cannot have run the call, or may run it twice.
 *
 * Source: AnyCable `rpc/barrier.go` and `rpc/rpc.go`. Unlike there, a retry gives its permit back while it backs off,
 * backoff has jitter, and the queue is limited in length and time.
 */
import {
  isAway,
  mayRepeat,
  RpcError,
  type Caller,
  type CommandCall,
  type CommandReply,
  type ConnectCall,
  type ConnectReply,
  type DisconnectCall,
} from '../../cable/rpc.ts'
import type { Log } from '../../ops/log.ts'
import type { Meter } from '../../ops/metrics.ts'
import type { Cancellation, Rpc } from '../../session/ports.ts'
import { aborted, withoutSecrets, type Transport } from '../transport.ts'
import { backoffFor } from './backoff.ts'
import { initialLimit, limitAfter, type Limit } from './limit.ts'
import { maxPending, Permits, type Priority } from './permits.ts'
import { Presence, type PresenceSettings } from './presence.ts'

type GuardSettings = PresenceSettings & {
  /** How many calls may be in flight; 0 for the adaptive limit. */
  readonly concurrency: number
  /** Limits one attempt; 0: only the budget does. */
  readonly requestTimeoutMs: number
  /**
   * The budget of a call: its time in the queue, all attempts, and the backoff between them. A call with a queue
   * deadline of its own gets a new budget when it leaves the queue.
   */
  readonly commandTimeoutMs: number
}

type Task = {
  readonly method: 'connect' | 'command' | 'disconnect'
  readonly priority: Priority
  /** Whether the app may run it twice. */
  readonly isIdempotent: boolean
  readonly signal: Cancellation
  /** As in `Rpc`. */
  readonly queueDeadline?: (() => number) | undefined
}
type TaskOf<Call, Reply> = Task & {
  readonly call: Call
  readonly send: (call: Call, signal: Cancellation, deadline: number) => Promise<Reply>
}

/** A timer of a busy event loop fires this late. */
const oversleptMs = 10
const readyWithinMs = 3_000
/** The budget of a call while the app is known to be away: a little more than it takes to find an app that is back. */
const absentBudgetMs = 1_500
/**
 * The least that an attempt gets: this share of the budget, or this time where that is less. With less, it may time out
 * while the app is still working on it, and the app has more calls in flight than the limit says.
 */
const minAttempt = { share: 1 / 3, ms: 1_000 }

/** Wraps a transport; the result is itself an `Rpc`. All times are in ms of `performance.now()`. */
export class Guard implements Rpc {
  readonly presence: Presence
  readonly #transport: Transport
  // Bound once: a closure for each call would be kept for as long as the call waits.
  readonly #connect: Transport['connect']
  readonly #command: Transport['command']
  readonly #disconnect: Transport['disconnect']
  readonly #settings: GuardSettings
  readonly #meter: Meter
  readonly #permits: Permits
  /** `null` where the limit is fixed. */
  #adaptive: Limit | null
  /** Each ends the backoff of one call. */
  readonly #backoffs = new Set<() => void>()
  #isAborted = false
  #isChecking = false

  constructor(transport: Transport, settings: GuardSettings, meter: Meter, log: Log) {
    this.#transport = transport
    this.#connect = transport.connect.bind(transport)
    this.#command = transport.command.bind(transport)
    this.#disconnect = transport.disconnect.bind(transport)
    this.#settings = settings
    this.#meter = meter
    this.presence = new Presence(settings, log)
    this.#adaptive = settings.concurrency === 0 ? initialLimit : null
    this.#permits = new Permits(this.#adaptive?.calls ?? settings.concurrency, this.presence)
  }

  get capacity(): number {
    return this.#permits.limit
  }

  get pending(): number {
    return this.#permits.pending
  }

  /** How full the fullest queue of calls is. */
  get fullest(): { readonly size: number; readonly limit: number } {
    return { size: this.#permits.longest, limit: maxPending }
  }

  async check(): Promise<void> {
    if (this.#isChecking) return
    this.#isChecking = true
    const problem = await this.#transport.problem(readyWithinMs)
    this.#isChecking = false
    if (problem === null) this.presence.onReply()
    else if (!problem.isLocal) this.presence.onUnreachable(problem)
  }

  connect(call: ConnectCall, signal: Cancellation, queueDeadline?: () => number): Promise<ConnectReply> {
    const priority = call.isReturning === true ? 'returning' : 'new'
    const send = this.#connect
    return this.#run({ method: 'connect', priority, isIdempotent: true, call, signal, send, queueDeadline })
  }

  /** A perform that the app may have run is not retried: running it twice may do harm. */
  command(call: CommandCall, signal: Cancellation, queueDeadline?: () => number): Promise<CommandReply> {
    const isIdempotent = call.command !== 'message'
    const send = this.#command
    return this.#run({ method: 'command', priority: 'connected', isIdempotent, call, signal, send, queueDeadline })
  }

  disconnect(call: DisconnectCall, signal: Cancellation): Promise<void> {
    const send = this.#disconnect
    return this.#run({ method: 'disconnect', priority: 'leaving', isIdempotent: true, call, signal, send })
  }

  abort(): void {
    this.#isAborted = true
    this.#permits.abort()
    for (const end of this.#backoffs) end()
    this.#transport.abort()
  }

  /** Not split further: this runs once for each message of a station, and hundreds may wait in it for a permit. */
  async #run<Call extends Caller, Reply>(task: TaskOf<Call, Reply>): Promise<Reply> {
    const { method, call, signal, send } = task
    const meter = this.#meter
    const startedAt = performance.now()
    let budgetFrom = startedAt
    meter.totals.rpc_call_total.value++
    try {
      if (signal.aborted || this.#isAborted) throw aborted()
      if (!this.#permits.take()) {
        await this.#queue(task, budgetFrom)
        budgetFrom = budgetAfterQueue(task, budgetFrom)
      }
      let failure: RpcError | null = null
      for (let retries = 0; ; retries++) {
        try {
          const reply = await send(call, signal, this.#deadline(budgetFrom))
          this.#onReply()
          return reply
        } catch (error) {
          failure = this.#onFailure(withoutSecrets(error, call), failure)
        } finally {
          this.#permits.release()
        }
        budgetFrom = await this.#retry(task, failure, retries, budgetFrom)
      }
    } catch (error) {
      if (error instanceof RpcError) this.#count(error)
      throw error
    } finally {
      if (meter.isRead) meter.observe('rpc_call_seconds', { method }, (performance.now() - startedAt) / 1000)
    }
  }

  /** Waits for a permit; the budget may shrink meanwhile. */
  #queue({ priority, signal, queueDeadline }: Task, budgetFrom: number): Promise<void> {
    const deadline = (): number => Math.max(this.#lastStart(budgetFrom), queueDeadline?.() ?? 0)
    return this.#permits.wait(priority, signal, deadline)
  }

  /** Of one call, as of now. */
  get #budgetMs(): number {
    const { commandTimeoutMs: ms } = this.#settings
    return this.presence.isInDoubt && this.presence.isLongAbsent ? Math.min(absentBudgetMs, ms) : ms
  }

  /** The latest time at which an attempt may start. */
  #lastStart(budgetFrom: number): number {
    const budgetMs = this.#budgetMs
    return budgetFrom + budgetMs - Math.min(minAttempt.ms, budgetMs * minAttempt.share)
  }

  #deadline(budgetFrom: number): number {
    const { requestTimeoutMs } = this.#settings
    const deadline = budgetFrom + this.#budgetMs
    return requestTimeoutMs === 0 ? deadline : Math.min(deadline, performance.now() + requestTimeoutMs)
  }

  #onReply(): void {
    this.presence.repliedAt = performance.now()
    if (this.presence.isInDoubt) this.presence.onReply()
    if (this.#adaptive !== null) this.#adapt(this.#adaptive, 'replied')
  }

  #adapt(limit: Limit, end: 'replied' | 'refused'): void {
    this.#adaptive = limitAfter(limit, end, this.#permits.pending > 0)
    this.#permits.limit = this.#adaptive.calls
  }

  /**
   * A lost or a slow call says nothing about the next one; a call that could not be sent does.
   *
   * @returns the failure in view of the attempts before it; throws on what is not an `RpcError`
   */
  #onFailure(error: unknown, before: RpcError | null): RpcError {
    if (!(error instanceof RpcError)) throw error
    if (!error.isLocal) this.#learn(error)
    if (before?.outcome !== 'unknown' || error.outcome !== 'notRun') return error
    // An earlier attempt may have run.
    return new RpcError(error.code, 'unknown', error.message, { cause: before, isLocal: error.isLocal })
  }

  #learn(error: RpcError): void {
    if (!isAway(error)) return this.#onReply()
    if (error.code === 'exhausted') {
      this.presence.onReply()
      if (this.#adaptive !== null) this.#adapt(this.#adaptive, 'refused')
    } else if (mayRepeat(error)) this.presence.onUnreachable(error)
    else if (error.code === 'timeout') this.presence.onTimeout(error)
  }

  /**
   * Backs off and takes a permit for the next attempt. Throws the failure where there must be none, or no time is left.
   *
   * @returns when the budget begins from now on: anew for a call with a queue deadline of its own
   */
  async #retry(task: Task, failure: RpcError, retries: number, budgetFrom: number): Promise<number> {
    const backoffMs = backoffFor(failure, retries, task.isIdempotent)
    if (backoffMs === null) throw failure
    // The last attempt begins as late as it may: an app that is back by then is found.
    const longestMs = this.#lastStart(budgetFrom) - performance.now() - oversleptMs
    if (longestMs > 0) await this.#backOff(Math.min(backoffMs, longestMs), task.signal)
    const hasTime = longestMs > 0 && performance.now() <= this.#lastStart(budgetFrom)
    const begun = hasTime ? await this.#permit(task, budgetFrom) : null
    if (this.#isAborted || task.signal.aborted) {
      if (begun !== null) this.#permits.release()
      throw aborted(failure.outcome)
    }
    if (begun === null) {
      if (failure.code === 'exhausted') this.presence.onRefused(failure)
      throw failure
    }
    this.#meter.count('rpc_retries_total')
    return begun
  }

  /** A permit for a further attempt; returns as `#retry` does, or `null` where it does not come in time. */
  async #permit(task: Task, budgetFrom: number): Promise<number | null> {
    if (this.#permits.take()) return budgetFrom
    try {
      await this.#queue(task, budgetFrom)
      return budgetAfterQueue(task, budgetFrom)
    } catch (error) {
      if (error instanceof RpcError) return null
      throw error
    }
  }

  /** Ends early when the signal or the guard is aborted. */
  #backOff(ms: number, signal: Cancellation): Promise<void> {
    if (this.#isAborted || signal.aborted) return Promise.resolve()
    return new Promise(resolve => {
      const end = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        this.#backoffs.delete(end)
        resolve()
      }
      const timer = setTimeout(end, ms)
      signal.addEventListener('abort', end)
      this.#backoffs.add(end)
    })
  }

  /** ERROR is a reply, and not counted here; a reply that is refused is. */
  #count({ code, outcome, isLocal }: RpcError): void {
    if (code === 'aborted') return this.#meter.count('rpc_canceled_total')
    if (outcome !== 'ran' || isLocal) this.#meter.count('rpc_error_total')
    if (code === 'timeout') this.#meter.count('rpc_timeout_total')
  }
}

/** When the budget of a call that leaves the queue begins: anew for a call with a queue deadline of its own. */
function budgetAfterQueue({ queueDeadline }: Task, before: number): number {
  return queueDeadline === undefined ? before : performance.now()
}
