/**
 * Takes a station's CALLs and SENDs to the app: the station is attached first, a transaction message is held until the
 * app can be reached, and one that may have arrived is marked when it goes again.
 */
import type { CommandReply } from '../cable/rpc.ts'
import type { Answer, Call, Send } from '../ocpp/frame.ts'
import type { VersionRow } from '../ocpp/version.ts'
import { performData, type Extras } from '../translate/commands.ts'
import type { StationId } from '../translate/handshake.ts'
import { Attachment, type AttachmentSettings } from './attachment.ts'
import type { Collecting } from './collecting.ts'
import { hasSaid, type AppConnection } from './connection.ts'
import { held, holdMs } from './hold.ts'
import type { Registry, World } from './ports.ts'

export type PerformingSettings = AttachmentSettings & {
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
  /** `null` where each part of a report is performed as it comes. */
  readonly collecting: Collecting | null
  /** Takes the transmissions of a reply, the app's answers among them. */
  apply(reply: CommandReply): void
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
    this.#ends.apply(await this.#perform(send, extras))
    return true
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

  #run(call: Call, extras: Extras): Promise<CommandReply | null> {
    const { collecting, closed } = this.#ends
    return collecting === null ? this.#perform(call, extras) : collecting.perform(call, extras, closed)
  }

  #perform(message: Call | Send, extras: Extras): Promise<CommandReply> {
    const data = performData(message, this.#settings.granularActions, extras)
    return this.#ends.connection.perform(data, this.#ends.closed)
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
