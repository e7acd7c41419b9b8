/**
 * Gets each CALL of a station its one answer: the app's, or the bridge's own where the app gave none.
 */
import { RpcError, type CommandReply } from '../cable/rpc.ts'
import { completeAnswer, isCompletable, type Asked } from '../ocpp/answers.ts'
import { callError, idKey, type Call, type CallError, type CallResult, type Send } from '../ocpp/frame.ts'
import { silentAnswerFor, versions, type Version, type VersionRow } from '../ocpp/version.ts'
import { answerFor, type NoAnswer, type SilentMode } from '../translate/answers.ts'
import { performData } from '../translate/commands.ts'
import type { StationHandshake } from '../translate/handshake.ts'
import { Attachment, type AttachmentSettings } from './attachment.ts'
import type { Boot } from './boot.ts'
import { hasSaid, type AppConnection } from './connection.ts'
import { held, holdMs } from './hold.ts'
import type { InFlight } from './inflight.ts'
import type { Registry, World } from './ports.ts'

export type AnsweringSettings = AttachmentSettings & {
  readonly granularActions: boolean
  readonly heartbeatIntervalMs: number
  readonly silentAck: SilentMode
  /** How long to wait for an Ack that comes by a broadcast, after the action has run; 0: not at all. */
  readonly ackTimeoutMs: number
  readonly forwardHeartbeats: boolean
}

/** Who gave a station its answer; `rejected`: the bridge, for the CALL could not go to the app. */
export type AnsweredBy = 'app' | 'local' | 'rejected' | NoAnswer

export type Line = {
  readonly connection: AppConnection
  readonly boot: Boot
  readonly registry: Registry
  readonly inFlight: InFlight
  send(answer: CallResult | CallError): void
  /** Takes the transmissions of a reply, the app's answers among them, which come back by `settle`. */
  apply(reply: CommandReply): void
  /** Aborted when the session closes: nothing more is asked of the app. */
  readonly closed: AbortSignal
  /** Aborted when nothing is held any longer. */
  readonly unheld: AbortSignal
}

export class Answering {
  readonly #version: Version
  readonly #attachment: Attachment
  readonly #line: Line
  readonly #row: VersionRow
  readonly #settings: AnsweringSettings
  readonly #world: World
  readonly #who: object
  /** The CALL that has no answer yet, and who waits for it. */
  #open: { readonly call: Call; readonly receivedAt: number; onAnswer: () => void } | null = null

  /** @param who names the station on log lines */
  constructor(
    { stationId, version }: StationHandshake,
    settings: AnsweringSettings,
    world: World,
    who: object,
    line: Line,
  ) {
    this.#version = version
    this.#row = versions[version]
    this.#attachment = new Attachment(stationId, this.#row, settings, line.connection, line.registry)
    this.#line = line
    this.#settings = settings
    this.#world = world
    this.#who = who
  }

  /** @param receivedAt when the CALL came in, as `Date` counts: from then on the station waits */
  async answer(call: Call, receivedAt: number): Promise<AnsweredBy> {
    const refusal = this.#refusal(call)
    if (refusal !== null) return this.#reply(call, receivedAt, refusal, 'rejected')
    this.#open = { call, receivedAt, onAnswer: () => undefined }
    const why = await this.#ask(call, receivedAt)
    if (!this.#isOpen(call)) return 'app'
    const isLocal = why !== 'unauthorized' && silentAnswerFor(this.#row, call.action)?.kind === 'local'
    return this.#reply(call, receivedAt, this.#ownAnswer(why, call), isLocal ? 'local' : why)
  }

  /** Answers a CALL without the app, which there is no time to ask any more. */
  giveUp(call: Call, receivedAt: number): void {
    this.#reply(call, receivedAt, this.#ownAnswer('failed', call), 'failed')
  }

  /** A SEND is performed, and never answered, not even with an error (OCPP 2.1 Part 4 §4.2.4). */
  async performSend(send: Send): Promise<'unauthorized' | 'done'> {
    if (!this.#row.sends.has(send.action) || !this.#boot().passesCall(send.action)) {
      this.#world.meter.count('ocpp_dropped_total', { reason: 'send' })
      return 'done'
    }
    try {
      if (!(await this.#attach(null))) return 'unauthorized'
      this.#line.apply(
        await this.#line.connection.perform(performData(send, this.#settings.granularActions), this.#line.closed),
      )
    } catch (error) {
      this.#onFailure(send.action, error)
    }
    return 'done'
  }

  /**
   * Gives the open CALL the app's answer.
   *
   * @returns whether it was the answer to that CALL: one to any other is nobody's
   */
  settle(answer: CallResult | CallError): boolean {
    const open = this.#open
    if (open === null || (open.call.id !== answer.id && idKey(open.call.id) !== idKey(answer.id))) return false
    this.#reply(open.call, open.receivedAt, answer, 'app')
    open.onAnswer()
    return true
  }

  /** Asks the app; its answer, if it gives one, comes by `settle` meanwhile. */
  async #ask(call: Call, receivedAt: number): Promise<NoAnswer> {
    try {
      const reply = await this.#reach(call, receivedAt)
      if (reply === 'unauthorized' || reply === 'silent') return reply
      this.#line.apply(reply)
      if (reply.status === 'failure') return 'refused'
      await this.#lateAnswer(call)
      return 'silent'
    } catch (error) {
      this.#onFailure(call.action, error)
      return 'failed'
    }
  }

  /** A transaction message is held until the app can be reached, all of its way there. */
  #reach(call: Call, receivedAt: number): Promise<CommandReply | 'unauthorized' | 'silent'> {
    const way = this.#wayOf(call)
    if (!this.#row.transactionMessages.has(call.action)) return way()
    const now = (): number => this.#world.now().getTime()
    const isNeedless = (): boolean => !this.#isOpen(call)
    return held(way, { until: receivedAt + holdMs, now, signal: this.#line.unheld, isNeedless })
  }

  /** One run of a CALL's way to the app; a run after one that may have reached the app says so. */
  #wayOf(call: Call): () => Promise<CommandReply | 'unauthorized' | 'silent'> {
    let attempt = 1
    return async () => {
      if (!(await this.#attach(call))) return 'unauthorized'
      if (call.action === 'Heartbeat' && !this.#settings.forwardHeartbeats) return 'silent'
      const data = performData(call, this.#settings.granularActions, attempt > 1 ? { attempt } : {})
      try {
        return await this.#line.connection.perform(data, this.#line.closed)
      } catch (error) {
        if (error instanceof RpcError && error.outcome === 'unknown') attempt++
        throw error
      }
    }
  }

  #attach(call: Call | null): Promise<boolean> {
    const boot = call?.action === 'BootNotification' ? call.payload : null
    return this.#attachment.attach(boot, this.#line.closed, reply => {
      this.#line.apply(reply)
      if (reply.status === 'success' && !hasSaid(reply, 'confirm_subscription')) {
        this.#world.once('unconfirmed', this.#who, 'the app did not confirm a subscription that it accepted')
      }
    })
  }

  /** Waits for an Ack that the app broadcasts after its action has run. */
  async #lateAnswer(call: Call): Promise<void> {
    const { ackTimeoutMs } = this.#settings
    if (ackTimeoutMs === 0 || !this.#isOpen(call)) return
    const { closed } = this.#line
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

  #boot(): Boot {
    return this.#line.boot
  }

  /** Why a CALL cannot go to the app, whatever the app would say. */
  #refusal({ id, action }: Call): CallError | null {
    if (silentAnswerFor(this.#row, action) === null) {
      if (this.#row.toStation.has(action)) return callError(id, 'NotSupported', 'This action is sent by the CSMS')
      return callError(id, 'NotImplemented', 'This version of OCPP has no such action from a Charging Station')
    }
    if (this.#boot().passesCall(action)) return null
    return callError(id, 'SecurityError', 'The Charging Station has not been accepted yet')
  }

  #ownAnswer(why: NoAnswer, call: Call): CallResult | CallError {
    const answer = answerFor(
      why,
      call,
      this.#version,
      this.#asked(call),
      this.#settings.silentAck,
      this.#world.random(),
    )
    const isDecision = answer.kind === 'callError' || silentAnswerFor(this.#row, call.action)?.kind === 'decision'
    if (why === 'silent' && isDecision) {
      const fields = { ...this.#who, action: call.action }
      this.#world.once(`silent ${call.action}`, fields, 'the app sent no Ack for an action that wants a decision')
    }
    return answer
  }

  #asked({ payload }: Call): Asked {
    const heartbeatIntervalSeconds = Math.round(this.#settings.heartbeatIntervalMs / 1000)
    return { payload, now: this.#world.now().toISOString(), heartbeatIntervalSeconds }
  }

  #reply(call: Call, receivedAt: number, answer: CallResult | CallError, by: AnsweredBy): AnsweredBy {
    if (this.#isOpen(call)) this.#open = null
    if (!this.#line.inFlight.isAwaited(call)) return this.#superseded(by)
    this.#line.inFlight.done(call)
    const { action, id } = call
    if (answer.kind === 'callError') this.#line.send({ ...answer, id })
    else {
      const payload = isCompletable(action) ? completeAnswer(action, answer.payload, this.#asked(call)) : answer.payload
      if (action === 'BootNotification') this.#boot().onAnswer(payload)
      this.#line.send({ kind: 'callResult', id, payload })
    }
    if (this.#line.closed.aborted) return by
    const label = silentAnswerFor(this.#row, action) === null ? 'other' : action
    const { meter } = this.#world
    const version = this.#row.number
    meter.count('ocpp_call_total', { version, action: label, answer: by })
    meter.observe('ocpp_call_seconds', { version }, (this.#world.now().getTime() - receivedAt) / 1000)
    return by
  }

  /** The station has given the CALL up for another with the same id: the answer is none of its business. */
  #superseded(by: AnsweredBy): AnsweredBy {
    this.#world.meter.count('ocpp_dropped_total', { reason: 'superseded' })
    return by
  }

  /** An app that is not there is one line, the transport's; one that raises is one for each action. */
  #onFailure(action: string, error: unknown): void {
    if (!(error instanceof RpcError)) throw error
    if (error.code !== 'application') return
    this.#world.once(`raised ${action}`, { ...this.#who, action, error }, 'the app raised an error')
  }
}
