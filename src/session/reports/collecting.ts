/**
 * Has the app perform a report that comes in parts once, whole (`ocpp_collect_reports`).
 */
import { mayRepeat, RpcError, type CommandReply } from '../../cable/rpc.ts'
import type { Call } from '../../ocpp/frame.ts'
import { performData, type Extras } from '../../translate/commands.ts'
import type { AppConnection } from '../app/connection.ts'
import type { AppMessages } from '../app/messages.ts'
import { Deferred } from '../deferred.ts'
import type { Station } from '../station.ts'
import { Reports, type Whole } from './reports.ts'

export type CollectingSettings = {
  readonly granularActions: boolean
  readonly collectReports: boolean
  /** How long the next part of a report may take. */
  readonly reportTimeoutMs: number
}

/** A report that no part's answer waits for. */
export type PendingReport = { readonly kind: 'report'; readonly whole: Whole }

type Lane = { push(entry: PendingReport, bytes: null): void }

/** How many reports may wait for an app that is away, and how long each before it is retried. */
const maxRetries = 16
const retryPauseMs = 5_000

export class Collecting {
  readonly #station: Station<CollectingSettings>
  readonly #app: AppConnection
  readonly #messages: AppMessages
  readonly #reports: Reports
  #isEnding = false
  /** The parts of these reports are answered: no station sends them again. */
  readonly #deferred: Deferred<PendingReport>

  constructor(station: Station<CollectingSettings>, app: AppConnection, messages: AppMessages, lane: Lane) {
    const { row, settings } = station
    this.#station = station
    this.#app = app
    this.#messages = messages
    this.#deferred = new Deferred(lane, retryPauseMs)
    this.#reports = new Reports(station, row.reports, settings.reportTimeoutMs, whole =>
      lane.push({ kind: 'report', whole }, null),
    )
  }

  /**
   * Performs a CALL; with the last part of a report, the whole report. Rejects with `RpcError`.
   *
   * @returns `null` for a part that is kept, or that was performed with the others already
   */
  async perform(call: Call, extras: Extras): Promise<CommandReply | null> {
    const taken = this.#reports.take(call)
    // A part's violations were counted and logged; their paths would mean nothing in the whole.
    if (taken.kind === 'whole') return this.#performWhole(taken.whole)
    if (taken.kind === 'full') this.#count('too_large')
    if (taken.abandoned !== null) await this.report(taken.abandoned)
    if (taken.kind === 'part' || taken.kind === 'settled') return null
    return this.#app.perform(this.#data(call, extras))
  }

  /** Performs a report that no answer waits for, also once the session has closed. */
  async report(whole: Whole): Promise<void> {
    const { call, parts, missing, complete } = whole
    try {
      if (this.#app.identifier === null) throw new RpcError('unavailable', 'notRun', 'the station is not subscribed')
      const data = this.#data(call, { parts, ...(!complete && { missing, complete }) })
      this.#messages.takeReply(await this.#app.performToTheEnd(data))
      this.#count(complete ? 'whole' : 'incomplete')
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      const retries = !this.#isEnding && mayRepeat(error) && this.#deferred.size < maxRetries
      if (retries) this.#deferred.retry({ kind: 'report', whole })
      else this.#onLost(call, error)
    }
  }

  /** Puts nothing into the inbox from now on: `end` performs the rest. */
  leaveLane(): void {
    this.#deferred.stop()
  }

  /** Keeps a report that was taken out of the inbox, for `end`. */
  keepForEnd(report: PendingReport): void {
    this.#deferred.keep(report)
  }

  /** Performs what is left of reports at once: the station may be back, and its next session waits for this end. */
  async end(): Promise<void> {
    this.#isEnding = true
    this.leaveLane()
    const rest = [...this.#deferred.take().map(({ whole }) => whole), ...this.#reports.takeAll()]
    await Promise.all(rest.map(whole => this.report(whole)))
  }

  #onLost({ action }: Call, error: RpcError): void {
    this.#count('lost')
    const { world, who } = this.#station
    world.once(
      'report',
      { ...who, action, error },
      'lost a report that the app did not take: request it again',
      `${action} ${error.message}`,
    )
  }

  async #performWhole(whole: Whole): Promise<CommandReply> {
    let isTaken = false
    try {
      const reply = await this.#app.perform(this.#data(whole.call, { parts: whole.parts }))
      isTaken = reply.status === 'success'
      if (isTaken) this.#count('whole')
      return reply
    } finally {
      this.#reports.settle(whole, isTaken)
    }
  }

  #data(call: Call, extras: Extras): string {
    const { row, settings } = this.#station
    return performData(call, { granular: settings.granularActions, version: row.number }, null, extras)
  }

  #count(outcome: 'whole' | 'incomplete' | 'too_large' | 'lost'): void {
    this.#station.world.meter.count('ocpp_report_total', { outcome })
  }
}
