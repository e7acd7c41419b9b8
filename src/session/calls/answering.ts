/**
 * Gives each CALL of a station its one answer: the app's, or the bridge's own where the app gives none.
 */
import { RpcError, type CommandReply } from '../../cable/rpc.ts'
import { cardRefusal, completeAnswer, isCompletable, type Asked } from '../../ocpp/answers.ts'
import type { ErrorCode } from '../../ocpp/errors.ts'
import {
  callError,
  isSameId,
  type Answer,
  type Call,
  type CallError,
  type MessageId,
  type Send,
} from '../../ocpp/frame.ts'
import { isFromStation } from '../../ocpp/version.ts'
import type { Violation } from '../../ocpp/violations.ts'
import { mintingActions, type NoAnswer } from '../../translate/answers.ts'
import { readReply } from '../../translate/messages.ts'
import { causeOf, type Cause } from '../../translate/unanswered.ts'
import { warnOfError } from '../app/errors.ts'
import type { AppMessages } from '../app/messages.ts'
import type { SilenceSettings } from '../app/silence.ts'
import type { Boot } from '../boot.ts'
import type { InFlight } from './in-flight.ts'
import { OwnAnswers, type AnsweredBy } from './own-answers.ts'
import { Pause } from './pause.ts'
import { pendingCall, type Failed, type PendingCall, type Performing, type Reached } from './performing.ts'
import type { Fleet, Member } from '../ports.ts'
import type { Station } from '../station.ts'
import type { Unanswered } from '../transactions/unanswered.ts'
import type { Validation } from './validation.ts'

export type AnsweringSettings = SilenceSettings & {
  readonly heartbeatIntervalMs: number
  /** Of the times that the bridge itself tells a station. */
  readonly timestamps: 'milliseconds' | 'seconds'
}

export type AnsweringParts = {
  readonly fleet: Fleet
  readonly member: Member
  readonly boot: Boot
  readonly inFlight: InFlight
  readonly validation: Validation
  readonly performing: Performing
  readonly messages: AppMessages
  readonly unanswered: Unanswered
}

export class Answering {
  readonly #station: Station<AnsweringSettings>
  readonly #parts: AnsweringParts
  /** Actions whose CALL gets a transaction id before the app is asked. */
  readonly #mintingActions: ReadonlySet<string>
  readonly #own: OwnAnswers
  readonly #ackWait = new Pause()
  /** Whether a CALL still waits for an Ack. */
  #waits = true
  #pending: PendingCall | null = null

  constructor(station: Station<AnsweringSettings>, parts: AnsweringParts) {
    this.#station = station
    this.#parts = parts
    this.#mintingActions = mintingActions(station.handshake.version, station.settings)
    this.#own = new OwnAnswers(station, parts.fleet, parts.member)
  }

  /** The CALL being answered. */
  get pending(): PendingCall | null {
    return this.#pending
  }

  /**
   * @param receivedAt when the CALL came in, in ms of `World.now`; the station has been waiting since
   * @returns whether the app accepts the station, as far as the app was asked; no promise for a CALL that it is not
   * asked for
   */
  answer(call: Call, receivedAt: number): Promise<boolean> | true {
    const pending = pendingCall(this.#station, call, receivedAt, this.#mintingActions)
    const { error, violations } = this.#check(call)
    if (error !== null) this.#refuse(pending, error)
    else if (this.#parts.performing.isLocal(call)) this.#replyWithoutApp(pending, 'local')
    else return this.#answerByApp(pending, violations)
    return true
  }

  async #answerByApp(pending: PendingCall, violations: readonly Violation[]): Promise<boolean> {
    this.#pending = pending
    let reached: Reached | Failed
    try {
      reached = await this.#parts.performing.call(pending, violations)
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      warnOfError(this.#station, pending.call.action, error)
      reached = { kind: 'failed', cause: causeOf(error, this.#parts.performing.isAttached) }
    }
    if (!('kind' in reached)) {
      this.#onReply(pending, reached)
      if (!pending.isAnswered) await this.#onSilence(pending, reached.status)
    } else if (reached.kind === 'replayed') this.#reply(pending, { ...reached.answer, id: pending.call.id }, 'replayed')
    else if (reached.kind === 'failed') this.#replyWithoutApp(pending, 'failed', reached.cause)
    else if (reached.kind !== 'stored') this.#replyWithoutApp(pending, reached.kind)
    this.#pending = null
    return !('kind' in reached) || reached.kind !== 'unauthorized'
  }

  /**
   * Answers a CALL without the app, where no time is left to ask it: the connection is about to close. A station that
   * has left gets no answer, and a transaction message gets none either, so that the station keeps it.
   */
  answerWithoutApp(call: Call, receivedAt: number): void {
    const { unanswered, inFlight } = this.#parts
    const pending = pendingCall(this.#station, call, receivedAt, this.#mintingActions)
    const isKept = unanswered.closes && pending.tracked !== null
    if (!this.#station.closed.aborted && !isKept) return this.#replyWithoutApp(pending, 'failed', 'ended')
    if (unanswered.keep(pending, 'ended')) return
    inFlight.done(call)
    // Sent again under a new id, while the first one had no answer.
    const first = this.#pending
    if (isKept && first !== null && first.tracked?.key === pending.tracked.key)
      unanswered.onResent(receivedAt - first.receivedAt)
  }

  /**
   * Performs a SEND, which is never answered, not even with an error (OCPP 2.1 Part 4 §4.2.4).
   *
   * @returns whether the app accepts the station, as far as the app was asked
   */
  async performSend(send: Send): Promise<boolean> {
    const { boot, validation, performing } = this.#parts
    const { row, world } = this.#station
    const isKnown = row.sends.has(send.action) && boot.passesCall(send.action)
    const { violations, refusal } = validation.ofCall(send)
    if (!isKnown || refusal !== null) {
      world.meter.count('ocpp_dropped_total', { reason: 'send' })
      return true
    }
    try {
      return await performing.send(send, violations)
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      warnOfError(this.#station, send.action, error)
      return true
    }
  }

  /**
   * Takes an Ack or Error that the app broadcast.
   *
   * @returns whether it answers the CALL that is pending
   */
  settle(answer: Answer): boolean {
    const pending = this.#pending
    if (pending === null || pending.isAnswered || !isSameId(pending.call.id, answer.id)) return false
    this.#onAppAnswer(pending, answer)
    this.#ackWait.end()
    return true
  }

  /** The station no longer waits for the answer to the CALL with this id, so nor does the CALL for the app. */
  onSuperseded(id: MessageId): void {
    if (this.#pending === null || !isSameId(this.#pending.call.id, id)) return
    this.#pending.isSuperseded = true
    this.#ackWait.end()
  }

  /** Drops a CALL that the station has sent again before its answer. */
  onRepeated(id: MessageId): void {
    const pending = this.#pending
    this.#station.drop('repeated', 'dropped a CALL that repeats one in flight')
    if (pending === null || pending.tracked === null || !isSameId(pending.call.id, id)) return
    this.#parts.unanswered.onResent(this.#station.world.now() - pending.receivedAt)
  }

  /** Ends the wait for an Ack, and lets no CALL wait any more: the station gets the bridge's own answer. */
  endWait(): void {
    this.#waits = false
    this.#ackWait.end()
  }

  #onReply(pending: PendingCall, { transmissions, disconnect }: CommandReply): void {
    const { answer, others } = readReply(transmissions, pending.call.id)
    if (answer !== null) this.#onAppAnswer(pending, answer)
    if (others.length > 0 || disconnect) this.#parts.messages.take(others, disconnect)
  }

  /** The reply held no answer: one that is broadcast in time counts; otherwise the station gets the bridge's own. */
  async #onSilence(pending: PendingCall, status: CommandReply['status']): Promise<void> {
    const { ackTimeoutMs } = this.#station.settings
    if (ackTimeoutMs > 0 && status === 'success' && !pending.isSuperseded && this.#waits)
      await this.#ackWait.wait(ackTimeoutMs)
    this.#replyWithoutApp(pending, status === 'success' ? 'silent' : 'refused')
  }

  #onAppAnswer(pending: PendingCall, answer: Answer): void {
    if (pending.isAnswered) return this.#parts.messages.dropAnswer()
    const completed = this.#completed(pending, answer)
    const isRefused =
      completed.kind === 'callResult' &&
      this.#parts.validation.ofAck(pending.call.action, completed.payload).refusal !== null
    // Never a transaction message.
    if (isRefused) this.#replyWithoutApp(pending, 'failed', 'raised')
    else this.#reply(pending, completed, 'app')
  }

  /**
   * Gives the bridge's own answer, unless the CALL has one; a transaction message may get none, see `Unanswered`.
   *
   * @param cause of a failure
   */
  #replyWithoutApp(pending: PendingCall, why: NoAnswer | 'local', cause: Cause = 'ended'): void {
    if (pending.isAnswered) return
    const reason = why === 'local' ? 'silent' : why
    const own = this.#own.answerTo(pending, reason, this.#asked(pending), this.#waits)
    const mayLeave = own.answer.kind === 'callError' && reason !== 'silent'
    if (mayLeave && this.#parts.unanswered.leave(pending, reason === 'failed' ? cause : reason))
      return this.#abandon(pending)
    const answer = own.isLocal ? own.answer : this.#completed(pending, own.answer)
    this.#reply(pending, answer, own.isLocal ? 'local' : why, why === 'failed' ? `failed: ${cause}` : undefined)
  }

  /** Refuses a CALL that cannot go to the app. */
  #refuse(pending: PendingCall, error: CallError): void {
    const { boot, unanswered } = this.#parts
    if (boot.isPutOff && unanswered.leave(pending, 'unready')) this.#abandon(pending)
    else this.#reply(pending, error, 'rejected')
  }

  /** The connection is closed, and the station keeps the message. */
  #abandon(pending: PendingCall): void {
    const { tracked, attempts, call } = pending
    if (pending.isStored) return
    pending.isAnswered = true
    this.#parts.inFlight.done(call)
    if (tracked !== null) this.#parts.fleet.transactions.record(tracked, { attempts, answer: null })
  }

  /** Why a CALL cannot go to the app, `null` if it can; and how it violates its schema. */
  #check(call: Call): { readonly error: CallError | null; readonly violations: readonly Violation[] } {
    const { id, action } = call
    const { row } = this.#station
    const refused = (code: ErrorCode, words: string) => ({ error: callError(id, code, words), violations: [] })
    if (!isFromStation(row, action)) {
      if (row.toStation.has(action)) return refused('NotSupported', 'This action is sent by the CSMS')
      return refused('NotImplemented', 'This version of OCPP has no such action from a Charging Station')
    }
    if (!this.#parts.boot.passesCall(action))
      return refused('SecurityError', 'The Charging Station has not been accepted yet')
    const { violations, refusal } = this.#parts.validation.ofCall(call)
    return { error: refusal === null ? null : callError(id, refusal.code, refusal.words), violations }
  }

  #completed(pending: PendingCall, answer: Answer): Answer {
    const { action } = pending.call
    if (answer.kind === 'callError' || !isCompletable(action)) return answer
    return { ...answer, payload: completeAnswer(action, answer.payload, this.#asked(pending)) }
  }

  #asked({ call, transactionId }: PendingCall): Asked {
    const { settings, world } = this.#station
    const heartbeatIntervalSeconds = Math.round(settings.heartbeatIntervalMs / 1000)
    const time = world.date().toISOString()
    const now = settings.timestamps === 'seconds' ? time.replace(/\.\d+/, '') : time
    return { payload: call.payload, now, heartbeatIntervalSeconds, transactionId }
  }

  #reply(pending: PendingCall, answer: Answer, by: AnsweredBy, cause: string = by): void {
    const { call, tracked, attempts } = pending
    pending.isAnswered = true
    // Such an answer is kept, also where nothing awaits it. After a CALLERROR from the bridge, a retry is performed.
    const isBooked = by === 'app' || (by === 'silent' && answer.kind === 'callResult')
    if (pending.isStored) return this.#parts.unanswered.storing?.onTaken(pending, isBooked ? answer : null)
    const isAwaited = this.#parts.inFlight.done(call)
    if (tracked !== null && this.#parts.unanswered.isOwing) this.#parts.unanswered.settle(tracked)
    const isKept = isBooked || (isAwaited && answer.kind === 'callResult')
    if (tracked !== null && by !== 'replayed')
      this.#parts.fleet.transactions.record(tracked, { attempts, answer: isKept ? answer : null })
    // The station has superseded the CALL with another one of the same id.
    if (!isAwaited) return this.#station.world.meter.count('ocpp_dropped_total', { reason: 'superseded' })
    if (answer.kind === 'callResult' && call.action === 'BootNotification')
      this.#parts.boot.onAnswer(answer.payload, by === 'failed')
    this.#station.send(answer.id === call.id ? answer : { ...answer, id: call.id })
    const { row, world, closed, record } = this.#station
    world.traces?.onAnswer(call, by)
    if (answer.kind === 'callError') record.keepError(world.now(), call, answer, cause)
    else if (cardRefusal.test(answer.payload)) record.keepRefusal(world.now(), call, answer.payload, cause)
    if (closed.aborted || !world.meter.isRead) return
    const action = isFromStation(row, call.action) ? call.action : 'other'
    world.meter.count('ocpp_call_total', { version: row.number, action, answer: by })
    world.meter.observe('ocpp_call_seconds', { version: row.number }, (world.now() - pending.receivedAt) / 1000)
  }
}
