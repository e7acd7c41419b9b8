/**
 * Gets each CALL of a station its one answer: the app's, or the bridge's own where the app gave none.
 */
import { RpcError } from '../cable/rpc.ts'
import { completeAnswer, isCompletable, type Asked } from '../ocpp/answers.ts'
import { callError, idKey, type Call, type CallError, type CallResult, type Send } from '../ocpp/frame.ts'
import type { JsonText } from '../ocpp/json.ts'
import { silentAnswerFor, versions, type Version, type VersionRow } from '../ocpp/version.ts'
import { answerFor, isDecision, mintsTransactionId, type NoAnswer, type SilentSettings } from '../translate/answers.ts'
import type { Extras } from '../translate/commands.ts'
import type { StationHandshake, StationId } from '../translate/handshake.ts'
import type { Boot } from './boot.ts'
import type { InFlight } from './inflight.ts'
import type { Performing } from './performing.ts'
import type { Registry, World } from './ports.ts'
import { transactionIdFor } from './transaction-id.ts'
import type { Validation } from './validation.ts'

export type AnsweringSettings = SilentSettings & {
  readonly heartbeatIntervalMs: number
  /** How long to wait for an Ack that comes by a broadcast, after the action has run; 0: not at all. */
  readonly ackTimeoutMs: number
}

/** Who gave a station its answer; `rejected`: the bridge, for the CALL could not go to the app. */
export type AnsweredBy = 'app' | 'replayed' | 'local' | 'rejected' | NoAnswer

export type AnsweringEnds = {
  readonly boot: Boot
  readonly registry: Registry
  readonly inFlight: InFlight
  readonly validation: Validation
  readonly performing: Performing
  send(answer: CallResult | CallError): void
  /** Aborted when the session closes: nobody waits for an answer any more. */
  readonly closed: AbortSignal
}

/** A CALL that has no answer yet, and who waits for it. */
type Open = {
  readonly call: Call
  readonly receivedAt: number
  readonly transactionId: number | null
  onAnswer: () => void
}

export class Answering {
  readonly #stationId: StationId
  readonly #version: Version
  readonly #row: VersionRow
  readonly #settings: AnsweringSettings
  readonly #world: World
  readonly #who: object
  readonly #ends: AnsweringEnds
  #open: Open | null = null

  /** @param who names the station on log lines */
  constructor(
    { stationId, version }: StationHandshake,
    settings: AnsweringSettings,
    world: World,
    who: object,
    ends: AnsweringEnds,
  ) {
    this.#stationId = stationId
    this.#version = version
    this.#row = versions[version]
    this.#settings = settings
    this.#world = world
    this.#who = who
    this.#ends = ends
  }

  /** @param receivedAt when the CALL came in, as `Date` counts: from then on the station waits */
  async answer(call: Call, receivedAt: number): Promise<AnsweredBy> {
    const refusal = this.#refusal(call)
    if (refusal !== null) return this.#reply(call, receivedAt, refusal, 'rejected')
    const { violations, isRefused } = this.#ends.validation.ofCall(call)
    if (isRefused) return this.#reply(call, receivedAt, this.#ends.validation.refusalOf(call, violations), 'rejected')
    const mints = mintsTransactionId(this.#version, call.action, this.#settings)
    const transactionId = mints ? transactionIdFor(this.#stationId, call) : null
    this.#open = { call, receivedAt, transactionId, onAnswer: () => undefined }
    const extras = {
      ...(transactionId !== null && { transactionId }),
      ...(violations.length > 0 && { violations }),
    }
    const why = await this.#ask(call, extras, receivedAt)
    if (!this.#isOpen(call)) return 'app'
    const isLocal = why !== 'unauthorized' && silentAnswerFor(this.#row, call.action)?.kind === 'local'
    return this.#reply(
      call,
      receivedAt,
      this.#ownAnswer(why === 'local' ? 'silent' : why, call),
      isLocal ? 'local' : why,
    )
  }

  /** Answers a CALL without the app, which there is no time to ask any more. */
  giveUp(call: Call, receivedAt: number): void {
    this.#reply(call, receivedAt, this.#ownAnswer('failed', call), 'failed')
  }

  /** A SEND is performed, and never answered, not even with an error (OCPP 2.1 Part 4 §4.2.4). */
  async performSend(send: Send): Promise<'unauthorized' | 'done'> {
    const { boot, validation, performing } = this.#ends
    if (!this.#row.sends.has(send.action) || !boot.passesCall(send.action)) return this.#droppedSend()
    const { violations, isRefused } = validation.ofCall(send)
    if (isRefused) return this.#droppedSend()
    try {
      const isAccepted = await performing.send(send, violations.length > 0 ? { violations } : {})
      return isAccepted ? 'done' : 'unauthorized'
    } catch (error) {
      this.onFailure(send.action, error)
      return 'done'
    }
  }

  /**
   * Gives the open CALL the app's answer.
   *
   * @returns whether it was the answer to that CALL: one to any other is nobody's
   */
  settle(answer: CallResult | CallError): boolean {
    const open = this.#open
    if (open === null || (open.call.id !== answer.id && idKey(open.call.id) !== idKey(answer.id))) return false
    const { call, receivedAt, onAnswer } = open
    if (this.#isRefused(call, answer)) this.#reply(call, receivedAt, this.#ownAnswer('failed', call), 'failed')
    else this.#reply(call, receivedAt, answer, 'app')
    onAnswer()
    return true
  }

  /** An app that is not there is one line, the transport's; one that raises is one for each action. */
  onFailure(action: string, error: unknown): void {
    if (!(error instanceof RpcError)) throw error
    if (error.code !== 'application') return
    this.#world.once(`raised ${action}`, { ...this.#who, action, error }, 'the app raised an error')
  }

  /** Asks the app; its answer, if it gives one, comes by `settle` meanwhile. */
  async #ask(call: Call, extras: Extras, receivedAt: number): Promise<NoAnswer | 'local'> {
    try {
      const reached = await this.#ends.performing.call(call, extras, receivedAt, () => !this.#isOpen(call))
      switch (reached.kind) {
        case 'unauthorized':
        case 'local':
          return reached.kind
        case 'replayed':
          this.#reply(call, receivedAt, reached.answer, 'replayed')
          return 'local'
        case 'performed':
          if (reached.reply.status === 'failure') return 'refused'
          await this.#lateAnswer(call)
          return 'silent'
      }
    } catch (error) {
      this.onFailure(call.action, error)
      return 'failed'
    }
  }

  /** Waits for an Ack that the app broadcasts after its action has run. */
  async #lateAnswer(call: Call): Promise<void> {
    const { ackTimeoutMs } = this.#settings
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
    if (silentAnswerFor(this.#row, action) === null) {
      if (this.#row.toStation.has(action)) return callError(id, 'NotSupported', 'This action is sent by the CSMS')
      return callError(id, 'NotImplemented', 'This version of OCPP has no such action from a Charging Station')
    }
    if (this.#ends.boot.passesCall(action)) return null
    return callError(id, 'SecurityError', 'The Charging Station has not been accepted yet')
  }

  #ownAnswer(why: NoAnswer, call: Call): CallResult | CallError {
    const asked = this.#asked(call)
    const answer = answerFor(why, call, this.#version, asked, this.#settings, this.#world.random())
    if (why === 'silent' && isDecision(answer, call.action, this.#version, asked, this.#settings)) {
      const fields = { ...this.#who, action: call.action }
      this.#world.once(`silent ${call.action}`, fields, 'the app sent no Ack for an action that wants a decision')
    }
    return answer
  }

  #droppedSend(): 'done' {
    this.#world.meter.count('ocpp_dropped_total', { reason: 'send' })
    return 'done'
  }

  #isRefused(call: Call, answer: CallResult | CallError): boolean {
    if (answer.kind === 'callError') return false
    return this.#ends.validation.ofAck(call.action, this.#completed(call, answer.payload)).isRefused
  }

  #completed(call: Call, payload: JsonText): JsonText {
    return isCompletable(call.action) ? completeAnswer(call.action, payload, this.#asked(call)) : payload
  }

  #asked(call: Call): Asked {
    const heartbeatIntervalSeconds = Math.round(this.#settings.heartbeatIntervalMs / 1000)
    const transactionId = this.#isOpen(call) ? (this.#open?.transactionId ?? null) : null
    return { payload: call.payload, now: this.#world.now().toISOString(), heartbeatIntervalSeconds, transactionId }
  }

  #reply(call: Call, receivedAt: number, answer: CallResult | CallError, by: AnsweredBy): AnsweredBy {
    const { inFlight, boot, closed } = this.#ends
    const { action, id } = call
    const given = answer.kind === 'callError' ? answer : { ...answer, payload: this.#completed(call, answer.payload) }
    if (this.#isOpen(call)) this.#open = null
    if (!inFlight.isAwaited(call)) return this.#superseded(by)
    inFlight.done(call)
    this.#keep(call, given, by)
    if (given.kind === 'callResult' && action === 'BootNotification') boot.onAnswer(given.payload)
    this.#ends.send({ ...given, id })
    if (closed.aborted) return by
    this.#count(action, receivedAt, by)
    return by
  }

  /** A CALLERROR that the bridge made up is not kept: the app has not booked the message, and is asked again. */
  #keep(call: Call, answer: CallResult | CallError, by: AnsweredBy): void {
    if (!this.#row.transactionMessages.has(call.action) || by === 'replayed') return
    if (answer.kind === 'callResult' || by === 'app') this.#ends.registry.answered(call, answer)
  }

  #count(action: string, receivedAt: number, by: AnsweredBy): void {
    const label = silentAnswerFor(this.#row, action) === null ? 'other' : action
    const { meter } = this.#world
    const version = this.#row.number
    meter.count('ocpp_call_total', { version, action: label, answer: by })
    meter.observe('ocpp_call_seconds', { version }, (this.#world.now().getTime() - receivedAt) / 1000)
  }

  /** The station has given the CALL up for another with the same id: the answer is none of its business. */
  #superseded(by: AnsweredBy): AnsweredBy {
    this.#world.meter.count('ocpp_dropped_total', { reason: 'superseded' })
    return by
  }
}
