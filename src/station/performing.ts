/**
 * Takes a station's CALLs and SENDs to the app: the station is attached first, a transaction message is held until the
 * app can be reached, and one that may have arrived is marked when it goes again.
 */
import { RpcError, type CommandReply, type Identifier } from '../cable/rpc.ts'
import type { Call, Send } from '../ocpp/frame.ts'
import { performData, type Extras } from '../translate/commands.ts'
import type { KeptAnswer } from './answered.ts'
import { Attachment, type AttachmentSettings } from './attachment.ts'
import type { Collecting } from './collecting.ts'
import { hasSaid, type AppConnection } from './connection.ts'
import { hintFor, type Refused } from './hints.ts'
import { held, holdMs } from './hold.ts'
import type { Registry } from './ports.ts'
import type { Station } from './station.ts'

export type PerformingSettings = AttachmentSettings & {
  readonly granularActions: boolean
  readonly forwardHeartbeats: boolean
}

/** How far a CALL came. */
export type Reached =
  | { readonly kind: 'performed'; readonly reply: CommandReply }
  /** It has been performed before, and this was its answer. */
  | { readonly kind: 'replayed'; readonly answer: KeptAnswer }
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

/** How long a CALL may take. */
type Patience = {
  /** When its station can be expected to give it up: from then on the app is not asked. */
  readonly until: number
  /** As in `Rpc`. */
  readonly queueDeadline?: () => number
}

export class Performing {
  readonly #station: Station<PerformingSettings>
  readonly #attachment: Attachment
  readonly #ends: PerformingEnds

  constructor(station: Station<PerformingSettings>, ends: PerformingEnds) {
    this.#station = station
    this.#attachment = new Attachment(station, ends.connection, ends.registry)
    this.#ends = ends
  }

  /**
   * Takes a CALL to the app. Rejects with `RpcError`.
   *
   * @param receivedAt when it came in, as `Date` counts
   * @param isNeedless whether it has its answer meanwhile, and need not be held any longer
   */
  async call(call: Call, extras: Extras, receivedAt: number, isNeedless: () => boolean): Promise<Reached> {
    const { handshake, row, world } = this.#station
    const until = receivedAt + holdMs
    if (!row.transactionMessages.has(call.action))
      return this.#bring(call, { until }, () => this.#collect(call, extras))
    const { unheld } = this.#ends
    const message = await world.hold.put(handshake.stationId, call)
    const now = (): number => world.now().getTime()
    // It does not lose its place in the line to those that came later.
    const queueDeadline = (): number => (unheld.aborted || isNeedless() ? 0 : performance.now() + until - now())
    const run = (attempt: number): Promise<CommandReply> =>
      this.#perform(call, attempt > 1 ? { attempt, ...extras } : extras, queueDeadline)
    const way = (): Promise<Reached> => this.#bring(call, { until, queueDeadline }, () => message.attempt(run))
    try {
      return await held(way, { until, now, signal: unheld, isNeedless })
    } finally {
      await message.settle(isNeedless())
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
   * @param attempt has it performed; `null` where it is not to be yet
   */
  async #bring(
    call: Call,
    { until, queueDeadline }: Patience,
    attempt: () => Promise<CommandReply | null>,
  ): Promise<Reached> {
    const { settings, world } = this.#station
    const isTooLate = world.now().getTime() >= until
    if (isTooLate && this.#ends.connection.identifier === null) throw tooLate()
    if (!(await this.#attach(call, queueDeadline))) return { kind: 'unauthorized' }
    if (call.action === 'Heartbeat' && !settings.forwardHeartbeats) return { kind: 'local' }
    const answer = this.#ends.registry.answerTo(call)
    if (answer !== null) return { kind: 'replayed', answer }
    if (isTooLate) throw tooLate()
    const reply = await attempt()
    if (reply === null) return { kind: 'local' }
    this.#ends.apply(reply)
    return { kind: 'performed', reply }
  }

  /** Parts of reports are collected; none of them is a transaction message. */
  #collect(call: Call, extras: Extras): Promise<CommandReply | null> {
    const { collecting, closed } = this.#ends
    return collecting === null ? this.#perform(call, extras) : collecting.perform(call, extras, closed)
  }

  #perform(message: Call | Send, extras: Extras, queueDeadline?: () => number): Promise<CommandReply> {
    const data = performData(message, this.#station.settings.granularActions, extras)
    return this.#ends.connection.perform(data, this.#ends.closed, queueDeadline)
  }

  async #attach(call: Call | null, queueDeadline?: () => number): Promise<boolean> {
    const { who, world } = this.#station
    const boot = call?.action === 'BootNotification' ? call.payload : null
    let failed: { readonly reply: CommandReply; readonly identifier: Identifier } | null = null
    const onReply = (reply: CommandReply, identifier: Identifier): void => {
      this.#ends.apply(reply)
      if (reply.status === 'failure') failed = { reply, identifier }
      else if (!hasSaid(reply, 'confirm_subscription'))
        world.once('unconfirmed', who, 'the app did not confirm a subscription that it accepted')
    }
    const isAccepted = await this.#attachment.attach(boot, this.#ends.closed, onReply, queueDeadline)
    if (!isAccepted) this.#onRefused(failed)
    return isAccepted
  }

  /** @param failed what became of the subscribe; `null` where Connect was refused */
  #onRefused(failed: { readonly reply: CommandReply; readonly identifier: Identifier } | null): void {
    const { handshake, who, world } = this.#station
    const refused: Refused =
      failed === null
        ? { kind: 'connect', withheld: handshake.withheld === true }
        : { kind: 'subscribe', said: hasSaid(failed.reply, 'reject_subscription') }
    const hint = hintFor(refused)
    const fields = failed === null ? who : { ...who, identifier: failed.identifier }
    if (hint !== null) world.once(hint.key, fields, hint.text)
  }
}

/** It has waited behind others, in one line with them. */
function tooLate(): RpcError {
  return new RpcError('timeout', 'notRun', 'the message has waited for too long')
}
