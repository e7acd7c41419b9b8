/**
 * CALLs to one station: one on the wire, a queue behind it, a timeout each, and exactly one outcome for each.
 *
 * Spec: OCPP-J 1.6 §4.1.1 (SHOULD NOT) and OCPP 2.0.1 Part 4 §4.1.1 (SHALL NOT) send a CALL while one is open.
 */
import type { ErrorCode } from '../../ocpp/errors.ts'
import {
  idKey,
  isSameId,
  isUnreadableId,
  messageId,
  type Answer,
  type Call,
  type CallResult,
  type Malformed,
  type MessageId,
} from '../../ocpp/frame.ts'
import { emptyObject } from '../../ocpp/json.ts'
import { setRecent } from '../../ops/recent.ts'
import type { RemoteCommand } from '../../translate/messages.ts'
import type { AppConnection } from '../app/connection.ts'
import type { Boot } from '../boot.ts'
import type { OpenCall } from '../ports.ts'
import type { Station } from '../station.ts'
import type { Validation } from '../calls/validation.ts'
import { failures, type CommandFailure } from './failures.ts'
import { offerKeys, settleKeys } from './new-keys.ts'
import { aboutOf, ackOf, errorOf, type Outcomes } from './outcomes.ts'
import { originOf, ownIdStart } from './own.ts'
import { CommandQueue } from './queue.ts'
import type { Asked, Command, Ended, UnansweredCommands } from './unanswered.ts'

/** OCPP-J 1.6 §4.2.1 table 3, OCPP 2.0.1 Part 4 table 4. */
const maxIdLength = 36
/** The timeout of the bridge's own commands: those of the app wait behind them. A late answer is still taken. */
const ownTimeoutMs = 5_000
/** How many timed-out calls are remembered, so that a late answer still finds its request. */
const maxLate = 16

/** As a station sends it; without a payload and a code where it cannot be read. */
export type StationAnswer = Answer | NonNullable<Malformed['brokenAnswer']>

export type CommandSettings = {
  /** How many commands may wait, not counting the one on the wire. */
  readonly callQueue: number
  readonly callTimeoutMs: number
}

export type CommandParts = {
  readonly app: Pick<AppConnection, 'identifier'>
  readonly boot: Boot
  readonly outcomes: Pick<Outcomes, 'hasRoom' | 'ofCommand'>
  /** Of all stations, left by their connections. */
  readonly unanswered: UnansweredCommands
  readonly validation: Pick<Validation, 'ofCommand' | 'ofResult'>
}

export class Commands {
  readonly #station: Station<CommandSettings>
  readonly #parts: CommandParts
  #open: { readonly call: Command; readonly since: number; readonly timer: NodeJS.Timeout } | null = null
  readonly #queue = new CommandQueue()
  #late: Map<string, Command> | null = null
  #holds = 0
  /** The command in the queue whose keys are on the disk. */
  #ready: Command | null = null
  #isStopped = false

  constructor(station: Station<CommandSettings>, parts: CommandParts) {
    this.#station = station
    this.#parts = parts
  }

  /** How many commands wait. */
  get queued(): number {
    return this.#queue.length
  }

  /** The command on the wire, then the queue. */
  unsettled(): OpenCall[] {
    const open = this.#open === null ? [] : [{ call: this.#open.call, since: this.#open.since }]
    const queued = this.#queue.calls.map(call => ({ call, since: null }))
    return [...open, ...queued].map(({ call: { id, action }, since }) => ({ id: idKey(id), action, since }))
  }

  /**
   * Sends a command now, or queues it; one that cannot be sent ends at once.
   *
   * @param asked by an operator; `null` for one of the app
   */
  add({ id: given, action, payload }: RemoteCommand, asked: Asked | null = null): void {
    const { row, world, closed } = this.#station
    if (closed.aborted) return this.#station.drop('closed', 'dropped a command to a station that has left')
    const id = given ?? messageId(world.newId())
    const call: Command = { kind: 'call', id, action, asked, givenAt: world.now(), payload: payload ?? emptyObject }
    world.traces?.onCommand(this.#station, call, originOf(call))
    if (payload === null) return this.#fail(call, 'InvalidPayload')
    if (this.#isStopped) return this.#fail(call, 'ConnectionClosed')
    if (!row.toStation.has(action)) return this.#fail(call, 'UnknownAction')
    if (this.#isInvalid(call)) return this.#fail(call, 'InvalidId')
    const { refusal } = this.#parts.validation.ofCommand(action, payload)
    if (refusal !== null) return this.#fail(call, 'InvalidPayload', refusal.words)
    const { callQueue } = this.#station.settings
    if (!this.#isFree() && !this.#queue.hasRoomFor(call, callQueue)) return this.#fail(call, 'QueueFull')
    this.#queue.add(call)
    if (asked !== null) this.#station.after(asked.timeoutMs, () => this.#expire(call)).unref()
    this.next()
  }

  /**
   * Ends the call of this connection that a station's answer belongs to.
   *
   * @returns whether there is such a call
   */
  settle(answer: StationAnswer): boolean {
    const open = this.#open
    const isOf = ({ id }: Call): boolean => isSameId(answer.id, id) || ('code' in answer && isUnreadableId(answer.id))
    if (open !== null && isOf(open.call)) {
      this.#close()
      this.#settleSent({ call: open.call, late: false }, answer)
      this.next()
      return true
    }
    const late = this.#takeLate(answer.id)
    if (late !== null) this.#settleSent(late, answer)
    return late !== null
  }

  /**
   * Ends the call of an earlier connection that a station's answer belongs to. Drops an answer to nothing.
   *
   * @returns whether there is such a call
   */
  settleEarlier(answer: StationAnswer): boolean {
    const earlier = this.#takeEarlier(answer.id)
    if (earlier === null) this.dropAnswer()
    else this.#settleSent(earlier, answer)
    return earlier !== null
  }

  dropAnswer(): void {
    this.#station.drop('answer_to_nothing', 'dropped the answer of a station: no command waits for it')
  }

  /** Sends nothing more until each `hold` has its `release`: the station waits for the answer to its boot. */
  hold(): void {
    this.#holds++
  }

  release(): void {
    this.#holds--
    this.next()
  }

  /** Sends the first command in the queue, if one may be sent now. */
  next(): void {
    for (let call = this.#queue.first; call !== undefined && this.#isFree(); call = this.#queue.first) {
      const passes = this.#parts.boot.passesCommand(call.action)
      if (passes && !this.#isReady(call)) return
      this.#queue.remove(call)
      if (passes) this.#send(call)
      else this.#fail(call, 'NotAccepted')
    }
  }

  /** Fails queued commands and all later ones; the open one may still be answered. */
  stop(): void {
    this.#isStopped = true
    for (const call of this.#queue.clear()) this.#fail(call, 'ConnectionClosed')
  }

  /** Fails the open command too. Its answer may come on the station's next connection, and those to earlier ones. */
  end(): void {
    const { handshake, row, who } = this.#station
    const open = this.#open
    const unanswered = [...(this.#late?.values() ?? []), ...(open === null ? [] : [open.call])]
    for (const call of unanswered) this.#parts.unanswered.keep(handshake.stationId, { call, sid: who.sid }, row)
    if (open !== null) {
      this.#close()
      this.#fail(open.call, 'ConnectionClosed')
    }
    this.stop()
    this.#late?.clear()
  }

  #isFree(): boolean {
    return this.#holds === 0 && this.#open === null && this.#parts.outcomes.hasRoom
  }

  /** A station gets a new key once that is on the disk. */
  #isReady(call: Command): boolean {
    const storing = call === this.#ready ? null : offerKeys(this.#station, call)
    if (storing === null) return true
    this.hold()
    void storing.then(problem => {
      if (problem === null) this.#ready = call
      if (problem !== null && this.#queue.remove(call)) this.#fail(call, 'KeyNotStored', problem)
      if (problem === null && this.#queue.first !== call) settleKeys(this.#station, call, null)
      this.release()
    })
    return false
  }

  #send(call: Command): void {
    const { settings, record, world } = this.#station
    const usualMs = call.asked?.timeoutMs ?? settings.callTimeoutMs
    const isOwn = call.id.startsWith(ownIdStart)
    const timer = this.#station.after(isOwn ? Math.min(ownTimeoutMs, usualMs) : usualMs, () => this.#onTimeout(call))
    const since = world.now()
    this.#open = { call, since, timer }
    this.#ready = null
    const waitedMs = since - call.givenAt
    if (!isOwn && world.meter.isRead) world.meter.observe('ocpp_command_wait_seconds', {}, waitedMs / 1000)
    record.sent ??= new Map<string, number>()
    record.sent.set(call.action, (record.sent.get(call.action) ?? 0) + 1)
    const { boot, unanswered } = this.#parts
    // The app has used the id again: from now on an answer with it is to this command.
    if (!unanswered.isEmpty) unanswered.take(this.#station.handshake.stationId, call.id)
    boot.onCommand(call)
    this.#station.send(call)
  }

  /** The operator waits no longer, whether the command was sent or not. */
  #expire(call: Command): void {
    if (this.#open?.call === call) this.#onTimeout(call)
    else if (this.#queue.remove(call)) this.#fail(call, 'NotSent')
  }

  #onTimeout(call: Command): void {
    this.#close()
    this.#late ??= new Map()
    setRecent(this.#late, idKey(call.id), call, maxLate)
    this.#fail(call, 'CallTimeout')
    this.next()
  }

  #close(): void {
    clearTimeout(this.#open?.timer)
    this.#open = null
  }

  #takeLate(id: MessageId): Ended | null {
    const key = idKey(id)
    const call = this.#late?.get(key)
    this.#late?.delete(key)
    return call === undefined ? null : { call, late: true }
  }

  /** Without a subscription there is no channel to tell, and no proof that the peer is the station. */
  #takeEarlier(id: MessageId): Ended | null {
    if (this.#parts.app.identifier === null) return null
    const earlier = this.#parts.unanswered.take(this.#station.handshake.stationId, id)
    return earlier === null ? null : { ...earlier, late: true }
  }

  #settleSent(sent: Ended, answer: StationAnswer): void {
    const { boot, outcomes, validation } = this.#parts
    if (answer.kind === 'callError') {
      if (!('code' in answer)) return this.#failSent(sent, 'InvalidResult')
      settleKeys(this.#station, sent.call, answer)
      this.#station.record.keepError(this.#station.world.now(), sent.call, answer, 'station')
      return outcomes.ofCommand(errorOf(sent, answer), sent.call)
    }
    if (!('payload' in answer)) return this.#refuse(sent, 'FormatViolation', '', emptyObject)
    boot.onCommandAnswer(sent.call, answer.payload)
    settleKeys(this.#station, sent.call, answer)
    const { violations, refusal } = validation.ofResult(sent.call.action, answer.payload)
    if (refusal === null) outcomes.ofCommand(ackOf(sent, answer, violations), sent.call)
    else this.#refuse(sent, refusal.code, refusal.words, answer.payload)
  }

  /** Tells the station too, in a version that has a message for that (2.1 Part 2 FR.06). */
  #refuse(sent: Ended, code: ErrorCode, description: string, payload: CallResult['payload']): void {
    if (this.#station.row.answersResults)
      this.#station.send({ kind: 'callResultError', id: sent.call.id, code, description, details: emptyObject })
    this.#failSent(sent, 'InvalidResult', description, payload)
  }

  #fail(call: Command, code: CommandFailure, detail = ''): void {
    if (call === this.#ready) settleKeys(this.#station, call, null)
    this.#failSent({ call, late: false }, code, detail)
  }

  #failSent(ended: Ended, code: CommandFailure, detail = '', payload = emptyObject): void {
    const message = detail === '' ? failures[code] : `${failures[code]}: ${detail}`
    const reason = { failure: code, code, message, payload }
    this.#parts.outcomes.ofCommand({ ...aboutOf(ended), kind: 'error', ...reason }, ended.call)
  }

  #isInvalid({ id }: Call): boolean {
    const key = idKey(id)
    return (
      key.length > maxIdLength ||
      this.#late?.has(key) === true ||
      (this.#open !== null && isSameId(this.#open.call.id, id)) ||
      this.#queue.hasId(id)
    )
  }
}
