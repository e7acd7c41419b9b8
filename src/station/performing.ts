/**
 * Takes a station's CALLs and SENDs to the app: the station is attached first, a transaction message is held until the
 * app can be reached, and one that may have arrived is marked when it goes again.
 */
import { RpcError, type CommandReply } from '../cable/rpc.ts'
import type { Call, Send } from '../ocpp/frame.ts'
import type { VersionRow } from '../ocpp/version.ts'
import { performData, type Extras } from '../translate/commands.ts'
import type { StationId } from '../translate/handshake.ts'
import type { Answer } from './answered.ts'
import { Attachment, type AttachmentSettings } from './attachment.ts'
import { hasSaid, type AppConnection } from './connection.ts'
import { held, holdMs } from './hold.ts'
import type { Registry, World } from './ports.ts'
import { Reports, type ReportSettings, type Taken, type Whole } from './reports.ts'

export type PerformingSettings = AttachmentSettings &
  ReportSettings & {
    readonly granularActions: boolean
    readonly forwardHeartbeats: boolean
  }

/** How far a CALL came. */
export type Reached =
  | { readonly kind: 'performed'; readonly reply: CommandReply }
  /** It has been performed before, and this was its answer. */
  | { readonly kind: 'replayed'; readonly answer: Answer }
  /** The app accepts the station, and need not see this CALL. */
  | { readonly kind: 'local' }
  | { readonly kind: 'unauthorized' }

export type PerformingEnds = {
  readonly connection: AppConnection
  readonly registry: Registry
  /** Takes the transmissions of a reply, the app's answers among them. */
  apply(reply: CommandReply): void
  /** The time of a report is over: `overdue` has its turn in the lane. */
  onOverdue(): void
  /** Aborted when the session closes: nothing more is asked of the app. */
  readonly closed: AbortSignal
  /** Aborted when nothing is held any longer. */
  readonly unheld: AbortSignal
}

export class Performing {
  readonly #stationId: StationId
  readonly #row: VersionRow
  readonly #settings: PerformingSettings
  readonly #attachment: Attachment
  readonly #reports: Reports | null
  /** Reports whose time is over. Their parts have been answered: nobody sends them again. */
  readonly #overdue: Whole[] = []
  readonly #world: World
  readonly #who: object
  readonly #ends: PerformingEnds

  /** @param who names the station on log lines */
  constructor(
    stationId: StationId,
    row: VersionRow,
    settings: PerformingSettings,
    world: World,
    who: object,
    ends: PerformingEnds,
  ) {
    this.#stationId = stationId
    this.#row = row
    this.#settings = settings
    this.#attachment = new Attachment(stationId, row, settings, ends.connection, ends.registry)
    this.#reports = settings.collectReports
      ? new Reports(row.reports, settings.reportTimeoutMs, whole => {
          this.#overdue.push(whole)
          ends.onOverdue()
        })
      : null
    this.#world = world
    this.#who = who
    this.#ends = ends
  }

  /**
   * Takes a CALL to the app. Rejects with `RpcError`.
   *
   * @param receivedAt when it came in, as `Date` counts
   * @param isNeedless whether it has its answer meanwhile, and need not be held any longer
   */
  async call(call: Call, extras: Extras, receivedAt: number, isNeedless: () => boolean): Promise<Reached> {
    if (!this.#row.transactionMessages.has(call.action)) return this.#bring(call, run => run(extras))
    const message = await this.#world.hold.put(this.#stationId, call)
    const now = (): number => this.#world.now().getTime()
    const way = (): Promise<Reached> =>
      this.#bring(call, run => message.attempt(attempt => run(attempt > 1 ? { attempt, ...extras } : extras)))
    try {
      return await held(way, { until: receivedAt + holdMs, now, signal: this.#ends.unheld, isNeedless })
    } finally {
      await message.settle()
    }
  }

  /** @returns whether the app accepts the station; rejects with `RpcError` */
  async send(send: Send, extras: Extras): Promise<boolean> {
    if (!(await this.#attach(null))) return false
    this.#ends.apply(await this.#perform(send, extras, this.#ends.closed))
    return true
  }

  /** Performs the report whose time was over first. */
  async overdue(): Promise<void> {
    const whole = this.#overdue.shift()
    if (whole !== undefined) await this.#performReport(whole)
  }

  /** Performs what there is of reports, for the station has left. */
  async end(): Promise<void> {
    const rest = [...this.#overdue.splice(0), ...(this.#reports?.takeAll() ?? [])]
    for (const whole of rest) await this.#performReport(whole)
  }

  /**
   * Brings a CALL to the app, once.
   *
   * @param attempt has it performed, with the extras that it is given
   */
  async #bring(
    call: Call,
    attempt: (run: (extras: Extras) => Promise<CommandReply | null>) => Promise<CommandReply | null>,
  ): Promise<Reached> {
    if (!(await this.#attach(call))) return { kind: 'unauthorized' }
    if (call.action === 'Heartbeat' && !this.#settings.forwardHeartbeats) return { kind: 'local' }
    const answer = this.#ends.registry.answerTo(call)
    if (answer !== null) return { kind: 'replayed', answer }
    const reply = await attempt(extras => this.#run(call, extras))
    if (reply === null) return { kind: 'local' }
    this.#ends.apply(reply)
    return { kind: 'performed', reply }
  }

  /** Performs a CALL, or keeps it as a part of a report (`null`). */
  async #run(call: Call, extras: Extras): Promise<CommandReply | null> {
    const taken: Taken = this.#reports?.take(call) ?? { kind: 'raw', givenUp: null }
    if (taken.kind === 'whole') return this.#runWhole(taken.whole, extras)
    if (taken.kind === 'full') this.#countReport('too_large')
    if (taken.givenUp !== null) await this.#performReport(taken.givenUp)
    return taken.kind === 'part' ? null : this.#perform(call, extras, this.#ends.closed)
  }

  async #runWhole(whole: Whole, extras: Extras): Promise<CommandReply> {
    let isTaken = false
    try {
      const reply = await this.#perform(whole.call, { ...extras, parts: whole.parts }, this.#ends.closed)
      isTaken = reply.status === 'success'
      if (isTaken) this.#countReport('whole')
      return reply
    } finally {
      this.#reports?.settle(whole, isTaken)
    }
  }

  /** Performs a report that is not the answer's to wait for, also when the session has closed. */
  async #performReport({ call, parts, missing, complete }: Whole): Promise<void> {
    const { connection } = this.#ends
    try {
      if (connection.identifier === null) throw new RpcError('unavailable', 'notRun', 'the station is not subscribed')
      const extras = { parts, ...(!complete && { missing, complete }) }
      this.#ends.apply(await this.#perform(call, extras, new AbortController().signal))
      this.#countReport(complete ? 'whole' : 'incomplete')
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      this.#countReport('lost')
      this.#world.once('report', { ...this.#who, action: call.action, error }, 'the app did not take a report')
    }
  }

  #countReport(outcome: 'whole' | 'incomplete' | 'too_large' | 'lost'): void {
    this.#world.meter.count('ocpp_report_total', { outcome })
  }

  #perform(message: Call | Send, extras: Extras, signal: AbortSignal): Promise<CommandReply> {
    return this.#ends.connection.perform(performData(message, this.#settings.granularActions, extras), signal)
  }

  #attach(call: Call | null): Promise<boolean> {
    const boot = call?.action === 'BootNotification' ? call.payload : null
    return this.#attachment.attach(boot, this.#ends.closed, reply => {
      this.#ends.apply(reply)
      if (reply.status === 'success' && !hasSaid(reply, 'confirm_subscription')) {
        this.#world.once('unconfirmed', this.#who, 'the app did not confirm a subscription that it accepted')
      }
    })
  }
}
