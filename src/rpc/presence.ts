/**
 * What the ends of calls say of the app: whether it is there, and keeps up; and what the log is told of that, one line for
 * a fault, with what to do about it.
 */
import type { RpcError } from '../cable/rpc.ts'
import { Notices } from '../ops/notices.ts'
import type { Log } from '../ops/log.ts'

export type PresenceSettings = {
  /** For log lines. */
  readonly host: string
  readonly commandTimeoutMs: number
}

/** How often the log is told at most that the app is away: one that comes and goes is one fault. */
const awayAgainMs = 60_000

export class Presence {
  readonly #settings: PresenceSettings
  readonly #log: Log
  readonly #notices: Notices
  /** Since when no call can be sent, as `Date` counts; `null` while the app is there. */
  #absentSince: number | null = null
  #isAbsenceSaid = false
  /** When the log was told last that the app is away. */
  #absenceSaidAt = -Infinity
  /** When the app answered last. */
  #heardAt = -Infinity
  /** The log says that the app is away, or silent, and not yet that it is back. */
  #mustSayBack = false

  constructor(settings: PresenceSettings, log: Log) {
    this.#settings = settings
    this.#log = log
    this.#notices = new Notices(log)
  }

  /** Longer than a whole call may take: every further one finds out soon whether the app is back. */
  get isLongAbsent(): boolean {
    return this.#absentSince !== null && Date.now() - this.#absentSince >= this.#settings.commandTimeoutMs
  }

  heard(): void {
    this.#heardAt = Date.now()
    this.#absentSince = null
    this.#isAbsenceSaid = false
    if (!this.#mustSayBack) return
    this.#mustSayBack = false
    this.#log.info({}, `the app answers at ${this.#settings.host}`)
  }

  /** A call could not be sent. */
  missed(error: RpcError): void {
    const now = Date.now()
    this.#absentSince ??= now
    if (this.#isAbsenceSaid || now - this.#absenceSaidAt < awayAgainMs) return
    this.#isAbsenceSaid = true
    this.#absenceSaidAt = now
    this.#mustSayBack = true
    // Somebody answers there, and its answer says what to do.
    const remedy =
      error.code === 'application' ? error.message : 'start it with `bundle exec anycable`, or set --rpc_host'
    this.#log.warn({ error }, `the app does not answer at ${this.#settings.host}: ${remedy}`)
  }

  /** A call was sent, and has no reply in time: a hung app is connected, and yet says nothing. */
  waitedInVain(error: RpcError): void {
    // It may be back, and slow at first: the next calls have their whole budget again.
    if (this.#absentSince !== null) this.#absentSince = Date.now()
    const isSilent = this.#isSilent()
    const why = isSilent
      ? 'is it hung, or overloaded?'
      : 'it answers other calls: is one action slow, or one app of several hung?'
    const line = `the app does not reply in time at ${this.#settings.host}: ${why}`
    if (this.#notices.once(isSilent ? 'silent' : 'slow', { error }, line)) this.#mustSayBack ||= isSilent
  }

  /** A call did not get its turn, which says something of an app only that answers others. */
  overrun(error: RpcError): void {
    if (this.#absentSince !== null || this.#isSilent()) return
    const remedy = "raise rpc_concurrency and the app's pool, or add an app"
    this.#notices.once('turn', { error }, `calls wait too long for their turn: ${remedy}`)
  }

  /** A call was refused, by all its attempts. */
  refused(error: RpcError): void {
    const remedy = 'give it more threads (rpc_pool_size), lower rpc_concurrency, or add an app'
    this.#notices.once('full', { error }, `the app refuses calls, its pool is full: ${remedy}`)
  }

  /** Nobody has answered while a call was waited for. */
  #isSilent(): boolean {
    return Date.now() - this.#heardAt >= this.#settings.commandTimeoutMs / 2
  }
}
