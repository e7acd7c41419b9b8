/**
 * The CALLs to one station: one on the wire, a line behind it, a timeout each, and exactly one outcome for each.
 *
 * Spec: OCPP-J 1.6 §4.1.1 (SHOULD NOT) and OCPP 2.0.1 Part 4 §4.1.1 (SHALL NOT) send a CALL while one is open.
 */
import type { ErrorCode } from '../ocpp/errors.ts'
import {
  idKey,
  isUnreadableId,
  type Answer,
  type Call,
  type CallError,
  type CallResult,
  type CallResultError,
  type Malformed,
} from '../ocpp/frame.ts'
import { emptyObject, type JsonText } from '../ocpp/json.ts'
import type { VersionRow } from '../ocpp/version.ts'
import type { Violation } from '../ocpp/violations.ts'
import type { CommandOutcome } from '../translate/commands.ts'
import type { Boot } from './boot.ts'
import type { Station } from './station.ts'
import type { Validation } from './validation.ts'

/** Why a remote command failed without a word of the station. */
type CommandFailure =
  | 'InvalidPayload'
  | 'UnknownAction'
  | 'InvalidId'
  | 'NotAccepted'
  | 'QueueFull'
  | 'CallTimeout'
  | 'ConnectionClosed'
  | 'InvalidResult'

const messages: Readonly<Record<CommandFailure, string>> = {
  InvalidPayload: 'The payload is no object, or breaks its schema',
  UnknownAction: 'This version of OCPP has no such action from the CSMS to a Charging Station',
  InvalidId: 'The id has more than 36 characters, or is in use by a command that has not ended',
  NotAccepted: 'The Charging Station has not been accepted',
  QueueFull: 'Too many commands wait for this Charging Station',
  CallTimeout: 'The Charging Station did not answer in time',
  ConnectionClosed: 'The connection of the Charging Station was closed',
  InvalidResult: 'The answer of the Charging Station is no frame, or breaks its schema',
}

/** OCPP-J 1.6 §4.2.1 table 3, OCPP 2.0.1 Part 4 table 4. */
const maxIdLength = 36
/** Of payload, in characters, that may wait for a station beside the one at the head of the line. */
const maxLineLength = 4 * 1024 * 1024
/** How many timed-out calls are remembered, so that a late answer still finds its request. */
const maxLate = 16

export type OutgoingSettings = {
  /** How many commands may wait, the open one not counted. */
  readonly callQueue: number
  readonly callTimeoutMs: number
}

/** A call that the app asks for; without a payload where what it gave is none. */
type Command = Omit<Call, 'payload'> & { readonly payload: JsonText | null }

/** Where calls and their outcomes go. */
export type OutgoingEnds = {
  readonly validation: Pick<Validation, 'ofCommand' | 'ofResult'>
  /** Whether one more outcome may wait for the app; `next` has to be called when that is so again. */
  hasRoom(): boolean
  send(frame: Call | CallResultError): void
  done(outcome: CommandOutcome): void
}

export class OutgoingCalls {
  readonly #row: VersionRow
  readonly #boot: Boot
  readonly #settings: OutgoingSettings
  readonly #ends: OutgoingEnds
  #open: { readonly call: Call; readonly timer: NodeJS.Timeout } | null = null
  #line: Call[] = []
  readonly #late = new Map<string, Call>()
  #holds = 0
  #stopped = false

  constructor({ row, settings }: Pick<Station<OutgoingSettings>, 'row' | 'settings'>, boot: Boot, ends: OutgoingEnds) {
    this.#row = row
    this.#boot = boot
    this.#settings = settings
    this.#ends = ends
  }

  /** Sends a call now, or after those before it; one that cannot go out ends at once. */
  add(command: Command): void {
    const { payload } = command
    if (payload === null) return this.#fail(command, 'InvalidPayload')
    const call = { ...command, payload }
    if (this.#stopped) return this.#fail(call, 'ConnectionClosed')
    if (!this.#row.toStation.has(call.action)) return this.#fail(call, 'UnknownAction')
    if (this.#isInvalid(call)) return this.#fail(call, 'InvalidId')
    const { refusal } = this.#ends.validation.ofCommand(call.action, payload)
    if (refusal !== null) return this.#fail(call, 'InvalidPayload', refusal.words)
    if (this.#isFull(call) && !this.#isFree()) return this.#fail(call, 'QueueFull')
    this.#line.push(call)
    this.next()
  }

  /**
   * Ends the call that a station's answer belongs to.
   *
   * @returns whether it belonged to one: an answer to nothing we asked is nobody's
   */
  settle(answer: Answer): boolean {
    const key = idKey(answer.id)
    const open = this.#open
    if (open !== null && (key === idKey(open.call.id) || (answer.kind === 'callError' && isUnreadableId(answer.id)))) {
      this.#close()
      this.#settleOpen(open.call, answer)
      this.next()
      return true
    }
    const late = this.#late.get(key)
    if (late === undefined) return false
    this.#late.delete(key)
    this.#settleLate(late, answer)
    return true
  }

  /** Ends the open call if it is this one: its answer came in a frame that is none. */
  settleBroken({ id, kind }: NonNullable<Malformed['brokenAnswer']>): void {
    const open = this.#open
    if (open === null || idKey(open.call.id) !== idKey(id)) return
    this.#close()
    if (kind === 'callResult') this.#refuse(open.call, 'FormatViolation', '', emptyObject)
    else this.#fail(open.call, 'InvalidResult')
    this.next()
  }

  /** Lets nothing more out until each `hold` has its `release`: the station is waiting for its boot answer. */
  hold(): void {
    this.#holds++
  }

  release(): void {
    this.#holds--
    this.next()
  }

  /** Sends the first of the line, if it may go. */
  next(): void {
    while (this.#isFree()) {
      const call = this.#line.shift()
      if (call === undefined) return
      if (this.#boot.passesCommand(call.action)) this.#send(call)
      else this.#fail(call, 'NotAccepted')
    }
  }

  /** Fails those that wait, and all that come; the open one may still be answered. */
  stop(): void {
    this.#stopped = true
    for (const call of this.#line.splice(0)) this.#fail(call, 'ConnectionClosed')
  }

  /** Fails the open one, too: no answer can come any more. */
  end(): void {
    const open = this.#open
    if (open !== null) {
      this.#close()
      this.#fail(open.call, 'ConnectionClosed')
    }
    this.stop()
    this.#late.clear()
  }

  #isFree(): boolean {
    return this.#holds === 0 && this.#open === null && this.#ends.hasRoom()
  }

  #send(call: Call): void {
    const timer = setTimeout(() => this.#onTimeout(call), this.#settings.callTimeoutMs)
    this.#open = { call, timer }
    this.#boot.onCommand(call)
    this.#ends.send(call)
  }

  #onTimeout(call: Call): void {
    this.#open = null
    this.#rememberLate(call)
    this.#fail(call, 'CallTimeout')
    this.next()
  }

  #rememberLate(call: Call): void {
    this.#late.set(idKey(call.id), call)
    const [oldest] = this.#late.keys()
    if (this.#late.size > maxLate && oldest !== undefined) this.#late.delete(oldest)
  }

  #close(): void {
    clearTimeout(this.#open?.timer)
    this.#open = null
  }

  #settleOpen(call: Call, answer: Answer): void {
    if (answer.kind === 'callError') return this.#ends.done(errorOf(call, answer, false))
    const { violations, refusal } = this.#ends.validation.ofResult(call.action, answer.payload)
    if (refusal === null) this.#ends.done(ackOf(call, answer, false, violations))
    else this.#refuse(call, refusal.code, refusal.words, answer.payload)
  }

  #settleLate(call: Call, answer: Answer): void {
    if (answer.kind === 'callError') return this.#ends.done(errorOf(call, answer, true))
    this.#ends.done(ackOf(call, answer, true, this.#ends.validation.ofResult(call.action, answer.payload).violations))
  }

  /** A version that can tells the station, too (2.1 Part 2 FR.06). */
  #refuse(call: Call, code: ErrorCode, description: string, payload: JsonText): void {
    if (this.#row.answersResults)
      this.#ends.send({ kind: 'callResultError', id: call.id, code, description, details: emptyObject })
    this.#fail(call, 'InvalidResult', description, payload)
  }

  #fail({ id, action }: Command, code: CommandFailure, detail = '', payload = emptyObject): void {
    const message = detail === '' ? messages[code] : `${messages[code]}: ${detail}`
    this.#ends.done({ kind: 'error', id, request: action, late: false, failure: code, code, message, payload })
  }

  /** One that finds the line empty is taken, however long it is. */
  #isFull({ payload }: Call): boolean {
    const { length } = this.#line
    const waiting = this.#line.reduce((sum, call) => sum + call.payload.length, 0)
    return length >= this.#settings.callQueue || (length > 0 && waiting + payload.length > maxLineLength)
  }

  #isInvalid({ id }: Call): boolean {
    const key = idKey(id)
    const isSame = (other: Call): boolean => idKey(other.id) === key
    return (
      key.length > maxIdLength ||
      this.#late.has(key) ||
      (this.#open !== null && isSame(this.#open.call)) ||
      this.#line.some(isSame)
    )
  }
}

function ackOf(
  { id, action }: Call,
  { payload }: CallResult,
  late: boolean,
  violations: readonly Violation[],
): CommandOutcome {
  return { kind: 'ack', id, request: action, late, failure: null, payload, violations }
}

function errorOf({ id, action }: Call, { code, description, details }: CallError, late: boolean): CommandOutcome {
  return { kind: 'error', id, request: action, late, failure: null, code, message: description, payload: details }
}
