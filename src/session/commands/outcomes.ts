/**
 * Reports to the app how its remote commands ended: through the session's inbox while the station is connected, and
 * several at a time once it has left.
 *
 * The outcome of a command that was sent keeps its place among the station's own messages. Refusals (`QueueFull` and
 * the like), which no station knows of, take turns with those messages: at most one refusal is in the inbox, so that an
 * app which floods a station does not keep the station from being served.
 */
import { isAway, mayRepeat, RpcError, type CommandReply } from '../../cable/rpc.ts'
import type { CallError, CallResult, CallResultError } from '../../ocpp/frame.ts'
import { copyOf, emptyObject } from '../../ocpp/json.ts'
import type { Violation } from '../../ocpp/violations.ts'
import { redactDescription } from '../../ops/redact/redact.ts'
import { outcomeData, reasonOf, type CommandOutcome } from '../../translate/commands.ts'
import type { AppConnection } from '../app/connection.ts'
import { warnOfError } from '../app/errors.ts'
import { Deferred } from '../deferred.ts'
import type { Station } from '../station.ts'
import { ownIdStart } from './own.ts'
import type { Command, Ended } from './unanswered.ts'

/** An outcome that the app does not have yet. */
export type PendingOutcome = {
  readonly kind: 'outcome'
  readonly outcome: CommandOutcome
  /** In ms of `World.now`. */
  readonly since: number
  readonly bytes: number
  readonly isRefusal: boolean
}

/** The outcome of a command of the bridge's own, which the app is not told. */
export type OwnOutcome = { readonly kind: 'own'; readonly outcome: CommandOutcome }

export type OutcomesSettings = { readonly granularActions: boolean }

type Lane = { push(entry: PendingOutcome | OwnOutcome, bytes: null): void }

const mebibyte = 1024 * 1024
/** A flood of commands makes a flood of refusals, small ones: room for some 12,000 of them. */
const refusalBytes = 4 * mebibyte
/** While so many outcomes of sent commands wait, no further command is sent. */
const settledRoom = { count: 1_000, bytes: 4 * mebibyte }
/** Hard limit: closing a session fails all its queued commands at once. */
const maxSettled = 2_000
/** What an outcome costs beside its texts. */
const outcomeBytes = 200
/** Failures of commands that were queued; every other failure is a refusal. */
const afterQueue: readonly (string | null)[] = [null, 'NotSent', 'CallTimeout', 'ConnectionClosed', 'InvalidResult']
/** How long, and how often, an outcome is retried that the app cannot have got. */
const retry = { withinMs: 20_000, pauseMs: 1_000 }
/** Once the station has left: how many outcomes are performed at a time, and for how long refusals are. */
const atEnd = { concurrency: 16, withinMs: 5_000 }

/** How many outcomes wait for the app, and how many bytes. */
type Load = { count: number; bytes: number }

export class Outcomes {
  /** Whether the outcome of one more command can be kept until the app has it. */
  hasRoom = true
  /** Whether the app did not take the last outcome: the station's own CALLs go before the next one. */
  isFailing = false
  readonly #station: Station<OutcomesSettings>
  readonly #app: AppConnection
  readonly #lane: Lane
  readonly #deferred: Deferred<PendingOutcome>
  /** Refusals behind the one in the inbox; `null` before the first one. */
  #refusals: Set<PendingOutcome> | null = null
  readonly #settled: Load = { count: 0, bytes: 0 }
  readonly #refused: Load = { count: 0, bytes: 0 }
  #usesLane = true
  #isEnding = false

  constructor(station: Station<OutcomesSettings>, app: AppConnection, lane: Lane) {
    this.#station = station
    this.#app = app
    this.#lane = lane
    this.#deferred = new Deferred<PendingOutcome>(lane, retry.pauseMs)
  }

  /** How many outcomes the app does not have yet. */
  get pending(): number {
    return this.#settled.count + this.#refused.count
  }

  /** How a remote command ended. */
  ofCommand(given: CommandOutcome, call: Command): void {
    const { request, failure, kind } = given
    const isRefusal = !afterQueue.includes(failure)
    // A flood of them waits: none may keep the text that its id is a slice of.
    const outcome = isRefusal ? { ...given, id: copyOf(given.id) } : given
    const { row, world, who, handshake } = this.#station
    const label = failure ?? kind
    world.traces?.onOutcome(call, outcome, label)
    if (outcome.id.startsWith(ownIdStart)) return this.#lane.push({ kind: 'own', outcome }, null)
    const { asked, givenAt, payload } = call
    const action = row.toStation.has(request) ? request : 'other'
    world.meter.count('ocpp_command_total', { version: row.number, action, outcome: label })
    if (!outcome.late) world.meter.observe('ocpp_command_seconds', { outcome: label }, (world.now() - givenAt) / 1000)
    world.events?.({ type: 'command', who, version: handshake.version, outcome: shown(outcome, payload) })
    asked?.onEnd(outcome)
    if (asked?.notify === false) return
    if (isRefusal) this.#refuse(outcome)
    else this.#add(outcome, outcome.late)
  }

  /**
   * What a station says about an answer that it got. It reaches the app like a failed command.
   *
   * @param request the action of the station's CALL; `null` if no such answer was sent
   */
  ofAnswer(error: CallResultError, request: string | null): void {
    if (request === null)
      return this.#station.drop('answer_to_nothing', 'dropped a CALLRESULTERROR: no such answer was sent')
    this.#add({ kind: 'error', id: error.id, request, late: false, failure: null, ...reasonOf(error) }, true)
  }

  /**
   * Performs `ack` or `error`, and retries it later where the app cannot have run it.
   *
   * @returns the app's reply; `null` if there is none
   */
  async tell(pending: PendingOutcome): Promise<CommandReply | null> {
    const reply = await this.#perform(pending.outcome)
    if (reply === 'mayRepeat' && !this.#isEnding && this.#now() - pending.since < retry.withinMs) {
      this.#deferred.retry(pending)
      return null
    }
    this.#forget(pending)
    if (typeof reply === 'object') return reply
    this.#dropUntold()
    return null
  }

  /** Retries nothing from now on: the bridge is shutting down. */
  stop(): void {
    this.#isEnding = true
  }

  /** Puts nothing into the inbox from now on: `end` performs the rest. */
  leaveLane(): void {
    this.#usesLane = false
    this.#deferred.stop()
  }

  /** Keeps an outcome that was taken out of the inbox, for `end`. */
  keepForEnd(pending: PendingOutcome): void {
    this.#deferred.keep(pending)
  }

  /**
   * Performs the rest, several at a time: the station may be back, and its next session waits for this end.
   *
   * @returns the app's replies
   */
  async end(): Promise<CommandReply[]> {
    this.stop()
    this.leaveLane()
    const rest = this.#deferred.take()
    const deadline = this.#now() + atEnd.withinMs
    const workers = Array.from({ length: atEnd.concurrency }, () => this.#tellRest(rest, deadline))
    const replies = await Promise.all(workers)
    for (let lost = this.#nextRefusal(); lost !== null; lost = this.#nextRefusal()) {
      this.#forget(lost)
      this.#dropUntold()
    }
    return replies.flat().filter(reply => reply !== null)
  }

  /** @param rest is told whatever the time; refusals are told before the deadline only */
  async #tellRest(rest: PendingOutcome[], deadline: number): Promise<(CommandReply | null)[]> {
    const replies: (CommandReply | null)[] = []
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) replies.push(await this.tell(next))
    while (this.#now() < deadline) {
      const next = this.#nextRefusal()
      if (next === null) break
      replies.push(await this.tell(next))
    }
    return replies
  }

  /** @param needsRoom whether the outcome is dropped, rather than kept beyond the limit */
  #add(outcome: CommandOutcome, needsRoom: boolean): void {
    const pending = this.#pending(outcome, false)
    if (this.#settled.count >= maxSettled || (needsRoom && !this.#hasRoomFor(pending))) return this.#dropOne()
    this.#countSettled(pending, 1)
    this.#lane.push(pending, null)
  }

  #refuse(outcome: CommandOutcome): void {
    const pending = this.#pending(outcome, true)
    if (this.#refused.bytes + pending.bytes > refusalBytes) return this.#dropOne()
    this.#refused.count++
    this.#refused.bytes += pending.bytes
    this.#refusals ??= new Set()
    this.#refusals.add(pending)
    if (this.#refused.count === 1) this.#pushRefusal()
  }

  #dropOne(): void {
    this.#station.drop('outcome', 'dropped the outcome of a command: too many wait for the app')
  }

  #dropUntold(): void {
    this.#station.drop('outcome', 'dropped the outcome of a command: the app did not take it')
  }

  /** Puts the next refusal into the inbox, behind everything that waits there now. */
  #pushRefusal(): void {
    const next = this.#usesLane ? this.#nextRefusal() : null
    if (next !== null) this.#lane.push(next, null)
  }

  #nextRefusal(): PendingOutcome | null {
    for (const next of this.#refusals ?? []) {
      this.#refusals?.delete(next)
      return next
    }
    return null
  }

  #pending(outcome: CommandOutcome, isRefusal: boolean): PendingOutcome {
    return { kind: 'outcome', outcome, since: this.#station.world.now(), bytes: bytesOf(outcome), isRefusal }
  }

  /** The app has the outcome, or never will. */
  #forget(pending: PendingOutcome): void {
    if (!pending.isRefusal) return this.#countSettled(pending, -1)
    this.#refused.count--
    this.#refused.bytes -= pending.bytes
    this.#pushRefusal()
  }

  #countSettled(pending: PendingOutcome, sign: 1 | -1): void {
    const settled = this.#settled
    settled.count += sign
    settled.bytes += sign * pending.bytes
    this.hasRoom = settled.count < settledRoom.count && settled.bytes < settledRoom.bytes
  }

  #hasRoomFor({ bytes }: PendingOutcome): boolean {
    return this.#settled.count === 0 || (this.hasRoom && this.#settled.bytes + bytes <= settledRoom.bytes)
  }

  async #perform(outcome: CommandOutcome): Promise<CommandReply | 'mayRepeat' | 'lost'> {
    if (this.#app.identifier === null) return 'lost'
    try {
      const { row, settings, who, world } = this.#station
      const form = { granular: settings.granularActions, version: row.number }
      const data = outcomeData(outcome, form, outcome.sid ?? who.sid)
      const tell = (): Promise<CommandReply> => this.#app.performToTheEnd(data)
      const reply = await (world.traces?.ofOutcome(outcome, tell) ?? tell())
      this.isFailing = false
      return reply
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      warnOfError(this.#station, outcome.kind, error)
      this.isFailing = isAway(error)
      return mayRepeat(error) ? 'mayRepeat' : 'lost'
    }
  }

  #now(): number {
    return this.#station.world.now()
  }
}

/** For those who watch: a station may repeat a secret of the command. */
function shown(outcome: CommandOutcome, payload: string): CommandOutcome {
  if (outcome.kind === 'ack' || outcome.failure !== null) return outcome
  const code = redactDescription(outcome.code, emptyObject)
  return { ...outcome, code, message: redactDescription(outcome.message, payload) }
}

function bytesOf(outcome: CommandOutcome): number {
  const { id, request, payload } = outcome
  const reason = outcome.kind === 'error' ? outcome.code + outcome.message + (outcome.details ?? '') : ''
  return outcomeBytes + id.length + request.length + Buffer.byteLength(payload) + Buffer.byteLength(reason)
}

export function aboutOf({ call, ...rest }: Ended) {
  return { id: call.id, request: call.action, ...rest, ...(call.asked !== null && { origin: 'admin' as const }) }
}

export function ackOf(sent: Ended, { payload }: CallResult, violations: readonly Violation[]): CommandOutcome {
  return { kind: 'ack', ...aboutOf(sent), failure: null, payload, violations }
}

export function errorOf(sent: Ended, error: CallError): CommandOutcome {
  return { kind: 'error', ...aboutOf(sent), failure: null, ...reasonOf(error) }
}
