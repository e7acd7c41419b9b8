/**
 * Gets each CALL of a station its one answer: the app's, or the bridge's own where the app gave none.
 */
import { RpcError } from '../cable/rpc.ts'
import { bootAnswer, completeAnswer, isCompletable, type Asked } from '../ocpp/answers.ts'
import { callError, idKey, type Answer, type Call, type CallError, type Send } from '../ocpp/frame.ts'
import { isFromStation } from '../ocpp/version.ts'
import {
  choiceFor,
  mintsTransactionId,
  answerFor,
  type Choice,
  type NoAnswer,
  type SilentSettings,
} from '../translate/answers.ts'
import type { Extras } from '../translate/commands.ts'
import type { Boot } from './boot.ts'
import { hintFor } from './hints.ts'
import type { InFlight } from './inflight.ts'
import type { Performing } from './performing.ts'
import type { Registry } from './ports.ts'
import type { Station } from './station.ts'
import { transactionIdFor } from './transaction-id.ts'
import type { Validation } from './validation.ts'

export type AnsweringSettings = SilentSettings & {
  readonly heartbeatIntervalMs: number
  /** How long to wait for an Ack that comes by a broadcast, after the action has run; 0: not at all. */
  readonly ackTimeoutMs: number
}

/** Who gave a station its answer; `rejected`: the bridge, for the CALL could not go to the app. */
type AnsweredBy = 'app' | 'replayed' | 'local' | 'rejected' | NoAnswer

export type AnsweringEnds = {
  readonly boot: Boot
  readonly registry: Registry
  readonly inFlight: InFlight
  readonly validation: Validation
  readonly performing: Performing
  send(answer: Answer): void
  /** Aborted when the session closes: nobody waits for an answer any more. */
  readonly closed: AbortSignal
}

/** A CALL that has no answer yet, and who waits for it. */
type Open = {
  readonly call: Call
  readonly receivedAt: number
  readonly choice: Choice
  readonly transactionId: number | null
  onAnswer: () => void
}

export class Answering {
  readonly #station: Station<AnsweringSettings>
  readonly #ends: AnsweringEnds
  #open: Open | null = null

  constructor(station: Station<AnsweringSettings>, ends: AnsweringEnds) {
    this.#station = station
    this.#ends = ends
  }

  /**
   * @param receivedAt when the CALL came in, as `Date` counts: from then on the station waits
   * @returns whether the app accepts the station, as far as it has been asked
   */
  async answer(call: Call, receivedAt: number): Promise<boolean> {
    const refusal = this.#refusal(call)
    if (refusal !== null) {
      this.#reply(call, receivedAt, refusal, 'rejected')
      return true
    }
    const { violations, refusal: broken } = this.#ends.validation.ofCall(call)
    if (broken !== null) {
      this.#reply(call, receivedAt, callError(call.id, broken.code, broken.words), 'rejected')
      return true
    }
    const choice = this.#choiceFor(call)
    const transactionId = mintsTransactionId(choice) ? transactionIdFor(this.#station.handshake.stationId, call) : null
    this.#open = { call, receivedAt, choice, transactionId, onAnswer: () => undefined }
    const extras = {
      ...(transactionId !== null && { transactionId }),
      ...(violations.length > 0 && { violations }),
    }
    const why = await this.#ask(call, extras, receivedAt)
    if (!this.#isOpen(call)) return true
    // What is the bridge's own to answer it has answered, however the app fared.
    const by = choice.row?.kind === 'local' && why !== 'unauthorized' ? 'local' : why
    this.#reply(call, receivedAt, this.#ownAnswer(why === 'local' ? 'silent' : why, call, choice), by)
    return why !== 'unauthorized'
  }

  /** Answers a CALL without the app, which there is no time to ask any more. */
  giveUp(call: Call, receivedAt: number): void {
    this.#reply(call, receivedAt, this.#ownAnswer('failed', call, this.#choiceFor(call)), 'failed')
  }

  /**
   * A SEND is performed, and never answered, not even with an error (OCPP 2.1 Part 4 §4.2.4).
   *
   * @returns whether the app accepts the station, as far as it has been asked
   */
  async performSend(send: Send): Promise<boolean> {
    const { boot, validation, performing } = this.#ends
    const { row, world } = this.#station
    const isKnown = row.sends.has(send.action) && boot.passesCall(send.action)
    const { violations, refusal } = validation.ofCall(send)
    if (!isKnown || refusal !== null) {
      world.meter.count('ocpp_dropped_total', { reason: 'send' })
      return true
    }
    try {
      return await performing.send(send, violations.length > 0 ? { violations } : {})
    } catch (error) {
      this.#onFailure(send.action, error)
      return true
    }
  }

  /**
   * Gives the open CALL the app's answer.
   *
   * @returns whether it was the answer to that CALL: one to any other is nobody's
   */
  settle(answer: Answer): boolean {
    const open = this.#open
    if (open === null || (open.call.id !== answer.id && idKey(open.call.id) !== idKey(answer.id))) return false
    const { call, receivedAt, choice, onAnswer } = open
    const given = this.#completed(call, answer)
    if (given.kind === 'callResult' && this.#ends.validation.ofAck(call.action, given.payload).refusal !== null)
      this.#reply(call, receivedAt, this.#ownAnswer('failed', call, choice), 'failed')
    else this.#reply(call, receivedAt, given, 'app')
    onAnswer()
    return true
  }

  /** A CALL has come in: one that it supersedes need not wait for an Ack any longer. */
  onCall(): void {
    if (this.#open !== null && !this.#ends.inFlight.isAwaited(this.#open.call)) this.#open.onAnswer()
  }

  /** Asks the app; its answer, if it gives one, comes by `settle` meanwhile. `local`: the app need not answer it. */
  async #ask(call: Call, extras: Extras, receivedAt: number): Promise<NoAnswer | 'local'> {
    try {
      const reached = await this.#ends.performing.call(call, extras, receivedAt, () => !this.#isOpen(call))
      switch (reached.kind) {
        case 'unauthorized':
        case 'local':
          return reached.kind
        case 'replayed':
          this.#reply(call, receivedAt, { ...reached.answer, id: call.id }, 'replayed')
          return 'local'
        case 'performed':
          if (reached.reply.status === 'failure') return 'refused'
          await this.#lateAnswer(call)
          return 'silent'
      }
    } catch (error) {
      this.#onFailure(call.action, error)
      return 'failed'
    }
  }

  /** Waits for an Ack that the app broadcasts after its action has run. */
  async #lateAnswer(call: Call): Promise<void> {
    const { ackTimeoutMs } = this.#station.settings
    if (ackTimeoutMs === 0 || !this.#isOpen(call)) return
    const { closed } = this.#ends
    await new Promise<void>(resolve => {
      const timer = setTimeout(end, ackTimeoutMs)
      function end(): void {
        clearTimeout(timer)
        closed.removeEventListener('abort', end)
        resolve()
      }
      closed.addEventListener('abort', end, { once: true })
      if (this.#open !== null) this.#open.onAnswer = end
    })
  }

  #isOpen(call: Call): boolean {
    return this.#open?.call === call
  }

  /** Why a CALL cannot go to the app, whatever the app would say. */
  #refusal({ id, action }: Call): CallError | null {
    const { row } = this.#station
    if (!isFromStation(row, action)) {
      if (row.toStation.has(action)) return callError(id, 'NotSupported', 'This action is sent by the CSMS')
      return callError(id, 'NotImplemented', 'This version of OCPP has no such action from a Charging Station')
    }
    if (this.#ends.boot.passesCall(action)) return null
    return callError(id, 'SecurityError', 'The Charging Station has not been accepted yet')
  }

  #choiceFor({ action }: Call): Choice {
    const { handshake, settings } = this.#station
    return choiceFor(action, handshake.version, settings)
  }

  #ownAnswer(why: NoAnswer, call: Call, choice: Choice): Answer {
    const { who, world } = this.#station
    const asked = this.#asked(call)
    const { answer, isDecision } = answerFor(why, call, choice, asked, world.random())
    if (isDecision) {
      const fields = { ...who, action: call.action }
      world.once(`silent ${call.action}`, fields, 'the app sent no Ack for an action that wants a decision')
    }
    if (answer.kind !== 'putOff') return this.#completed(call, answer)
    const payload = bootAnswer('Pending', this.#ends.registry.putOff(), asked)
    return { kind: 'callResult', id: call.id, payload }
  }

  #completed(call: Call, answer: Answer): Answer {
    if (answer.kind === 'callError' || !isCompletable(call.action)) return answer
    return { ...answer, payload: completeAnswer(call.action, answer.payload, this.#asked(call)) }
  }

  #asked(call: Call): Asked {
    const { settings, world } = this.#station
    const heartbeatIntervalSeconds = Math.round(settings.heartbeatIntervalMs / 1000)
    const transactionId = this.#isOpen(call) ? (this.#open?.transactionId ?? null) : null
    return { payload: call.payload, now: world.now().toISOString(), heartbeatIntervalSeconds, transactionId }
  }

  #reply(call: Call, receivedAt: number, answer: Answer, by: AnsweredBy): void {
    const { inFlight, boot, closed } = this.#ends
    const { action, id } = call
    if (this.#isOpen(call)) this.#open = null
    if (!inFlight.isAwaited(call)) {
      // The station has given the CALL up for another with the same id.
      this.#station.world.meter.count('ocpp_dropped_total', { reason: 'superseded' })
      return
    }
    inFlight.done(call)
    this.#keep(call, answer, by)
    if (answer.kind === 'callResult' && action === 'BootNotification') boot.onAnswer(answer.payload)
    this.#ends.send({ ...answer, id })
    if (!closed.aborted) this.#count(action, receivedAt, by)
  }

  /** A CALLERROR that the bridge made up is not kept: the app has not booked the message, and is asked again. */
  #keep(call: Call, answer: Answer, by: AnsweredBy): void {
    if (!this.#station.row.transactionMessages.has(call.action) || by === 'replayed') return
    if (answer.kind === 'callResult' || by === 'app') this.#ends.registry.answered(call, answer)
  }

  #count(action: string, receivedAt: number, by: AnsweredBy): void {
    const { row, world } = this.#station
    const label = isFromStation(row, action) ? action : 'other'
    const version = row.number
    world.meter.count('ocpp_call_total', { version, action: label, answer: by })
    world.meter.observe('ocpp_call_seconds', { version }, (world.now().getTime() - receivedAt) / 1000)
  }

  /** An app that is not there is one line, the transport's; one that raises is one for each action. */
  #onFailure(action: string, error: unknown): void {
    if (!(error instanceof RpcError)) throw error
    if (error.code !== 'application') return
    const { key, text } = hintFor({ kind: 'error', message: error.message }) ?? {
      key: `raised ${action}`,
      text: 'the app raised an error',
    }
    const { who, world } = this.#station
    world.once(key, { ...who, action, error }, text)
  }
}
