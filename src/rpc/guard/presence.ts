/**
 * What the ends of calls say about the app: whether it is there and keeps up. Logs one line for each fault, with the
 * remedy.
 */
import type { RpcError } from '../../cable/rpc.ts'
import type { Log } from '../../ops/log.ts'
import { Notices } from '../../ops/notices.ts'

export type PresenceSettings = {
  /** For log lines. */
  readonly host: string
  readonly commandTimeoutMs: number
}

/** An app that comes and goes is one fault: its absence is logged at most this often. */
const absenceLogMs = 60_000

/** All times are in ms of `performance.now()`. */
export class Presence {
  /** When the app last replied; `-Infinity` if never. Written by the guard, which has most replies. */
  repliedAt = -Infinity
  /** Whether `onReply` has to learn of the next reply: the app was away, or silent, and may be back. */
  isInDoubt = false
  readonly #settings: PresenceSettings
  readonly #log: Log
  readonly #notices: Notices
  /** Since when no call could be sent; `null` while the app is there. */
  #absentSince: number | null = null
  #isAbsenceLogged = false
  #absenceLoggedAt = -Infinity
  /** The log says that the app is away or silent, and does not say yet that it is back. */
  #mustLogReturn = false

  constructor(settings: PresenceSettings, log: Log) {
    this.#settings = settings
    this.#log = log
    this.#notices = new Notices(log)
  }

  /** Whether no call could be sent since the last reply. */
  get isAway(): boolean {
    return this.#absentSince !== null
  }

  /** Whether the app has been away for longer than a whole call may take. */
  get isLongAbsent(): boolean {
    return this.#absentSince !== null && performance.now() - this.#absentSince >= this.#settings.commandTimeoutMs
  }

  /** The app replied. */
  onReply(): void {
    this.repliedAt = performance.now()
    this.isInDoubt = false
    this.#absentSince = null
    this.#isAbsenceLogged = false
    if (!this.#mustLogReturn) return
    this.#mustLogReturn = false
    this.#log.info({}, `the app answers at ${this.#settings.host}`)
  }

  /** A call could not be sent. */
  onUnreachable(error: RpcError): void {
    const now = performance.now()
    this.#absentSince ??= now
    this.isInDoubt = true
    if (this.#isAbsenceLogged || now - this.#absenceLoggedAt < absenceLogMs) return
    this.#isAbsenceLogged = true
    this.#absenceLoggedAt = now
    this.#mustLogReturn = true
    // An answer that refuses the call names the remedy itself.
    const remedy =
      error.code === 'application' ? error.message : 'start it with `bundle exec anycable`, or set --rpc_host'
    this.#log.warn({ error }, `the app does not answer at ${this.#settings.host}: ${remedy}`)
  }

  /** A call was sent and got no reply in time: a hung app keeps its connection, and says nothing. */
  onTimeout(error: RpcError): void {
    // The app may be back, and slow at first: the next calls have their whole budget again.
    if (this.#absentSince !== null) this.#absentSince = performance.now()
    const isSilent = this.#isSilent()
    const question = isSilent
      ? 'is it hung, or overloaded?'
      : 'it answers other calls: is one action slow, or one app of several hung?'
    const line = `the app does not reply in time at ${this.#settings.host}: ${question}`
    if (this.#notices.once(isSilent ? 'silent' : 'slow', { error }, line)) this.#mustLogReturn ||= isSilent
    this.isInDoubt = true
  }

  /**
   * A call was pending for too long, or the queue was full. Says something only about an app that replies to others.
   */
  onQueueTimeout(error: RpcError): void {
    if (this.#absentSince !== null || this.#isSilent()) return
    const remedy = "raise rpc_concurrency and the app's pool, or add an app"
    this.#notices.once('queue', { error }, `calls to the app are pending for too long: ${remedy}`)
  }

  /** The app refused all attempts of a call. */
  onRefused(error: RpcError): void {
    const remedy = 'give it more threads (rpc_pool_size), lower rpc_concurrency, or add an app'
    this.#notices.once('full', { error }, `the app refuses calls, its pool is full: ${remedy}`)
  }

  /** Whether the app has replied to nobody during a call's time. */
  #isSilent(): boolean {
    return performance.now() - this.repliedAt >= this.#settings.commandTimeoutMs / 2
  }
}
