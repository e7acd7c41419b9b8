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
  type CallError,
  type CallResult,
  type Malformed,
} from '../../ocpp/frame.ts'
import { emptyObject } from '../../ocpp/json.ts'
import type { Violation } from '../../ocpp/violations.ts'
import { setRecent } from '../../ops/recent.ts'
import { reasonOf, type CommandOutcome } from '../../translate/commands.ts'
import type { RemoteCommand } from '../../translate/messages.ts'
import type { Boot } from '../boot.ts'
import type { Station } from '../station.ts'
import type { Validation } from '../validation.ts'
import type { Outcomes } from './outcomes.ts'

/** Why a remote command failed without a word from the station. */
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
  InvalidPayload: 'The payload is not an object, or violates its schema',
  UnknownAction: 'This version of OCPP has no such action from the CSMS to a Charging Station',
  InvalidId: 'The id has more than 36 characters, or is in use by a command that has not ended',
  NotAccepted: 'The Charging Station has not been accepted',
  QueueFull: 'Too many commands wait for this Charging Station',
  CallTimeout: 'The Charging Station did not answer in time',
  ConnectionClosed: 'The connection of the Charging Station was closed',
  InvalidResult: 'The answer of the Charging Station is not a valid frame, or violates its schema',
}

/** OCPP-J 1.6 §4.2.1 table 3, OCPP 2.0.1 Part 4 table 4. */
const maxIdLength = 36
/** Payload bytes that may wait for a station; the first command in the queue is taken whatever its size. */
const maxQueueBytes = 4 * 1024 * 1024
/** How many timed-out calls are remembered, so that a late answer still finds its request. */
const maxLate = 16

export type CommandSettings = {
  /** How many commands may wait, not counting the one on the wire. */
  readonly callQueue: number
  readonly callTimeoutMs: number
}

export class Commands {
  readonly #station: Station<CommandSettings>
  readonly #boot: Boot
  readonly #validation: Pick<Validation, 'ofCommand' | 'ofResult'>
  readonly #outcomes: Pick<Outcomes, 'hasRoom' | 'ofCommand'>
  #open: { readonly call: Call; readonly timer: NodeJS.Timeout } | null = null
  readonly #queue: Call[] = []
  #queueBytes = 0
  readonly #late = new Map<string, Call>()
  #holds = 0
  #isStopped = false

  constructor(
    station: Station<CommandSettings>,
    boot: Boot,
    validation: Pick<Validation, 'ofCommand' | 'ofResult'>,
    outcomes: Pick<Outcomes, 'hasRoom' | 'ofCommand'>,
  ) {
    this.#station = station
    this.#boot = boot
    this.#validation = validation
    this.#outcomes = outcomes
  }

  /** Sends a command now, or queues it; one that cannot be sent ends at once. */
  add({ id: given, action, payload }: RemoteCommand): void {
    const { row, world, isClosed } = this.#station
    if (isClosed) return this.#station.drop('closed', 'dropped a command to a station that has left')
    const id = given ?? messageId(world.newId())
    if (payload === null) return this.#fail({ id, action }, 'InvalidPayload')
    const call: Call = { kind: 'call', id, action, payload }
    if (this.#isStopped) return this.#fail(call, 'ConnectionClosed')
    if (!row.toStation.has(action)) return this.#fail(call, 'UnknownAction')
    if (this.#isInvalid(call)) return this.#fail(call, 'InvalidId')
    const { refusal } = this.#validation.ofCommand(action, payload)
    if (refusal !== null) return this.#fail(call, 'InvalidPayload', refusal.words)
    if (this.#isFull(call) && !this.#isFree()) return this.#fail(call, 'QueueFull')
    this.#queue.push(call)
    this.#queueBytes += Buffer.byteLength(payload)
    this.next()
  }

  /**
   * Ends the call that a station's answer belongs to.
   *
   * @returns whether there is such a call
   */
  settle(answer: Answer): boolean {
    const open = this.#open
    const isOfOpen =
      open !== null && (isSameId(answer.id, open.call.id) || (answer.kind === 'callError' && isUnreadableId(answer.id)))
    if (isOfOpen) {
      this.#close()
      this.#settleOpen(open.call, answer)
      this.next()
      return true
    }
    const key = idKey(answer.id)
    const late = this.#late.get(key)
    if (late === undefined) return false
    this.#late.delete(key)
    this.#settleLate(late, answer)
    return true
  }

  /** Ends the open call if its answer came in a malformed frame. */
  settleBroken({ id, kind }: NonNullable<Malformed['brokenAnswer']>): void {
    const open = this.#open
    if (open === null || !isSameId(open.call.id, id)) return
    this.#close()
    if (kind === 'callResult') this.#refuse(open.call, 'FormatViolation', '', emptyObject)
    else this.#fail(open.call, 'InvalidResult')
    this.next()
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
    while (this.#queue.length > 0 && this.#isFree()) {
      const call = this.#queue.shift()
      if (call === undefined) return
      this.#queueBytes -= Buffer.byteLength(call.payload)
      if (this.#boot.passesCommand(call.action)) this.#send(call)
      else this.#fail(call, 'NotAccepted')
    }
  }

  /** Fails queued commands and all later ones; the open one may still be answered. */
  stop(): void {
    this.#isStopped = true
    this.#queueBytes = 0
    for (const call of this.#queue.splice(0)) this.#fail(call, 'ConnectionClosed')
  }

  /** Fails the open command too: its answer can no longer come. */
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
    return this.#holds === 0 && this.#open === null && this.#outcomes.hasRoom
  }

  #send(call: Call): void {
    const timer = this.#station.after(this.#station.settings.callTimeoutMs, () => this.#onTimeout(call))
    this.#open = { call, timer }
    this.#boot.onCommand(call)
    this.#station.send(call)
  }

  #onTimeout(call: Call): void {
    this.#open = null
    setRecent(this.#late, idKey(call.id), call, maxLate)
    this.#fail(call, 'CallTimeout')
    this.next()
  }

  #close(): void {
    clearTimeout(this.#open?.timer)
    this.#open = null
  }

  #settleOpen(call: Call, answer: Answer): void {
    if (answer.kind === 'callError') return this.#outcomes.ofCommand(errorOf(call, answer, false))
    this.#boot.onCommandAnswer(call, answer.payload)
    const { violations, refusal } = this.#validation.ofResult(call.action, answer.payload)
    if (refusal === null) this.#outcomes.ofCommand(ackOf(call, answer, false, violations))
    else this.#refuse(call, refusal.code, refusal.words, answer.payload)
  }

  #settleLate(call: Call, answer: Answer): void {
    if (answer.kind === 'callError') return this.#outcomes.ofCommand(errorOf(call, answer, true))
    this.#boot.onCommandAnswer(call, answer.payload)
    const { violations } = this.#validation.ofResult(call.action, answer.payload)
    this.#outcomes.ofCommand(ackOf(call, answer, true, violations))
  }

  /** Tells the station too, in a version that has a message for that (2.1 Part 2 FR.06). */
  #refuse(call: Call, code: ErrorCode, description: string, payload: CallResult['payload']): void {
    if (this.#station.row.answersResults)
      this.#station.send({ kind: 'callResultError', id: call.id, code, description, details: emptyObject })
    this.#fail(call, 'InvalidResult', description, payload)
  }

  #fail({ id, action }: Pick<Call, 'id' | 'action'>, code: CommandFailure, detail = '', payload = emptyObject): void {
    const message = detail === '' ? messages[code] : `${messages[code]}: ${detail}`
    this.#outcomes.ofCommand({ kind: 'error', id, request: action, late: false, failure: code, code, message, payload })
  }

  #isFull({ payload }: Call): boolean {
    const { length } = this.#queue
    if (length >= this.#station.settings.callQueue) return true
    return length > 0 && this.#queueBytes + Buffer.byteLength(payload) > maxQueueBytes
  }

  #isInvalid({ id }: Call): boolean {
    const key = idKey(id)
    return (
      key.length > maxIdLength ||
      this.#late.has(key) ||
      (this.#open !== null && isSameId(this.#open.call.id, id)) ||
      this.#queue.some(other => isSameId(other.id, id))
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

function errorOf({ id, action }: Call, error: CallError, late: boolean): CommandOutcome {
  return { kind: 'error', id, request: action, late, failure: null, ...reasonOf(error) }
}
