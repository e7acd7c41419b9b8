/**
 * Has the app perform reports that come in parts once, whole (`ocpp_collect_reports`).
 */
import { RpcError, type CommandReply } from '../cable/rpc.ts'
import type { Call } from '../ocpp/frame.ts'
import { performData, type Extras } from '../translate/commands.ts'
import type { AppConnection } from './connection.ts'
import { Reports, type Whole } from './reports.ts'
import type { Station } from './station.ts'

export type CollectingSettings = {
  readonly granularActions: boolean
  readonly collectReports: boolean
  /** How long the next part of a report may take. */
  readonly reportTimeoutMs: number
}

export type CollectingEnds = {
  apply(reply: CommandReply): void
  /** Puts a report whose time is over into the lane. */
  onOverdue(whole: Whole): void
}

/** How many reports may wait for an app that is away, and how long each before it is tried again. */
const maxWaiting = 16
const pauseMs = 5_000

export class Collecting {
  readonly #station: Station<CollectingSettings>
  readonly #reports: Reports
  readonly #connection: AppConnection
  readonly #ends: CollectingEnds
  #isEnding = false
  /** Reports that did not have their turn. Their parts have been answered: nobody sends them again. */
  readonly #aside: Whole[] = []
  /** Reports that the app could not be asked to take, each until its next turn. */
  readonly #waiting = new Map<Whole, NodeJS.Timeout>()

  constructor(station: Station<CollectingSettings>, connection: AppConnection, ends: CollectingEnds) {
    const { row, settings } = station
    this.#station = station
    this.#reports = new Reports(row.reports, settings.reportTimeoutMs, whole => ends.onOverdue(whole))
    this.#connection = connection
    this.#ends = ends
  }

  /**
   * Performs a CALL, and with the last part of a report all of it. Rejects with `RpcError`.
   *
   * @returns `null` for a part that is kept, or that was performed with the others already
   */
  async perform(call: Call, extras: Extras, signal: AbortSignal): Promise<CommandReply | null> {
    const taken = this.#reports.take(call)
    // What is wrong with a part was counted and logged; its paths would mean nothing in the whole.
    if (taken.kind === 'whole') return this.#performWhole(taken.whole, signal)
    if (taken.kind === 'full') this.#count('too_large')
    if (taken.givenUp !== null) await this.report(taken.givenUp)
    if (taken.kind === 'part' || taken.kind === 'settled') return null
    return this.#run(call, extras, signal)
  }

  /** Performs a report that no answer waits for, also when the session has closed. */
  async report(whole: Whole): Promise<void> {
    const { call, parts, missing, complete } = whole
    try {
      if (this.#connection.identifier === null)
        throw new RpcError('unavailable', 'notRun', 'the station is not subscribed')
      const extras = { parts, ...(!complete && { missing, complete }) }
      this.#ends.apply(await this.#run(call, extras, new AbortController().signal))
      this.#count(complete ? 'whole' : 'incomplete')
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      if (this.#mayWait(error)) this.#wait(whole)
      else this.#onLost(call, error)
    }
  }

  /** Keeps a report that cannot have its turn any more for the end. */
  putAside(whole: Whole): void {
    this.#aside.push(whole)
  }

  /** Performs what is left of reports, side by side, for the station has left: when it is back it waits for them. */
  async end(): Promise<void> {
    this.#isEnding = true
    for (const timer of this.#waiting.values()) clearTimeout(timer)
    const rest = [...this.#waiting.keys(), ...this.#aside.splice(0), ...this.#reports.takeAll()]
    this.#waiting.clear()
    await Promise.all(rest.map(whole => this.report(whole)))
  }

  #onLost({ action }: Call, error: RpcError): void {
    this.#count('lost')
    const { world, who } = this.#station
    world.once('report', { ...who, action, error }, 'the app did not take a report')
  }

  /** One that the app may have taken is not performed again. */
  #mayWait({ outcome }: RpcError): boolean {
    return !this.#isEnding && outcome === 'notRun' && this.#waiting.size < maxWaiting
  }

  #wait(whole: Whole): void {
    const timer = setTimeout(() => {
      this.#waiting.delete(whole)
      this.#ends.onOverdue(whole)
    }, pauseMs)
    this.#waiting.set(whole, timer)
  }

  async #performWhole(whole: Whole, signal: AbortSignal): Promise<CommandReply> {
    let isTaken = false
    try {
      const reply = await this.#run(whole.call, { parts: whole.parts }, signal)
      isTaken = reply.status === 'success'
      if (isTaken) this.#count('whole')
      return reply
    } finally {
      this.#reports.settle(whole, isTaken)
    }
  }

  #run(call: Call, extras: Extras, signal: AbortSignal): Promise<CommandReply> {
    return this.#connection.perform(performData(call, this.#station.settings.granularActions, extras), signal)
  }

  #count(outcome: 'whole' | 'incomplete' | 'too_large' | 'lost'): void {
    this.#station.world.meter.count('ocpp_report_total', { outcome })
  }
}
