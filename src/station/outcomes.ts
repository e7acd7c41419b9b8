/**
 * Tells the app how its remote commands ended: by the lane while the station is there, and side by side at its end.
 *
 * What a station has answered goes in the order of its own messages. A refusal, which no station knows of, takes turns
 * with them: at most one is in the lane, so that an app which floods a station does not keep it from being served.
 */
import { RpcError, type CommandReply } from '../cable/rpc.ts'
import type { MessageId } from '../ocpp/frame.ts'
import { outcomeData, type CommandOutcome } from '../translate/commands.ts'
import type { AppConnection } from './connection.ts'
import type { Station } from './station.ts'

/** An outcome the app does not know yet, and since when (as `Date` counts). */
export type Untold = {
  readonly outcome: CommandOutcome
  readonly since: number
  /** What it takes of its room. */
  readonly bytes: number
  readonly isRefusal: boolean
}

export type OutcomesSettings = { readonly granularActions: boolean }

export type OutcomesEnds = {
  /** Puts an outcome into the lane. */
  push(untold: Untold): void
  apply(reply: CommandReply): void
  drop(message: string): void
  /** There is room for the outcome of one more command. */
  onRoom(): void
}

const mebibyte = 1024 * 1024
/** A flood of commands makes a flood of refusals, small ones: they are bounded by their bytes, some 12,000 of them. */
const refusalBytes = 4 * mebibyte
/** What came of those that had their place in the line: with so many, or so many bytes, no further command is sent. */
const settledRoom = { count: 1_000, bytes: 4 * mebibyte }
/** All the same some more come: of those in line at the end, say. */
const maxSettled = 2_000
/** What an outcome costs beside its texts. */
const outcomeBytes = 200
/** Said of a command that had its place in the line. */
const afterLine: readonly (string | null)[] = [null, 'CallTimeout', 'ConnectionClosed', 'InvalidResult']
/** For so long an outcome is told again to an app that cannot have got it, with this pause. */
const patienceMs = 20_000
const pauseMs = 1_000
/** At the end so many refusals are told side by side, for so long: the station may be back and wait for it. */
const farewell = { atOnce: 16, withinMs: 5_000 }

const notTaken = 'the app did not take the outcome of a command'

/** How many, and of how many bytes, wait for the app. */
type Load = { count: number; bytes: number }

export class Outcomes {
  readonly #station: Station<OutcomesSettings>
  readonly #connection: AppConnection
  readonly #ends: OutcomesEnds
  readonly #paused = new Map<Untold, NodeJS.Timeout>()
  /** Outcomes that did not have their turn. */
  readonly #aside: Untold[] = []
  /** Those that are not in the lane yet; the lane has the one before them, if there is any. */
  readonly #refusals = new Set<Untold>()
  readonly #settled: Load = { count: 0, bytes: 0 }
  readonly #refused: Load = { count: 0, bytes: 0 }
  #isInLane = true
  #isEnding = false
  #isTroubled = false

  constructor(station: Station<OutcomesSettings>, connection: AppConnection, ends: OutcomesEnds) {
    this.#station = station
    this.#connection = connection
    this.#ends = ends
  }

  /** Whether the app did not take the last one: the station's own CALLs go before the next. */
  get isTroubled(): boolean {
    return this.#isTroubled
  }

  /** Whether what comes of one more command can be kept until the app has it. */
  get hasRoom(): boolean {
    return this.#settled.count < settledRoom.count && this.#settled.bytes < settledRoom.bytes
  }

  /** How a remote command ended. */
  ofCommand(outcome: CommandOutcome): void {
    const { request, failure, kind } = outcome
    const { row, world } = this.#station
    const action = row.toStation.has(request) ? request : 'other'
    world.meter.count('ocpp_command_total', { version: row.number, action, outcome: failure ?? kind })
    if (afterLine.includes(failure)) this.#add(outcome, outcome.late && !this.#hasRoomFor(outcome))
    else this.#refuse(outcome)
  }

  /** What a station says of an answer that it had from here. */
  ofAnswer(outcome: CommandOutcome): void {
    this.#add(outcome, !this.#hasRoomFor(outcome))
  }

  /** Performs `ack` or `error`; once more later where the app cannot have run it. */
  async tell(untold: Untold): Promise<void> {
    const reply = await this.#perform(untold.outcome)
    if (reply === 'notRun' && this.#mayTellAgain(untold)) {
      this.#pause(untold)
      return
    }
    this.#forget(untold)
    if (typeof reply === 'object') this.#ends.apply(reply)
    else this.#ends.drop(notTaken)
  }

  /** From now on each is told once: the bridge is going. */
  stop(): void {
    this.#isEnding = true
  }

  /** No refusal takes its turn in the lane any more: they are told at the end. */
  leaveLane(): void {
    this.#isInLane = false
  }

  /** Keeps an outcome that cannot have its turn any more for the end. */
  putAside(untold: Untold): void {
    this.#aside.push(untold)
  }

  /** Tells the rest, side by side: a station that is back already waits for it. */
  async end(): Promise<void> {
    this.stop()
    this.leaveLane()
    const rest = [...this.#aside.splice(0), ...this.#paused.keys()]
    for (const timer of this.#paused.values()) clearTimeout(timer)
    this.#paused.clear()
    const until = this.#now() + farewell.withinMs
    const told = Array.from({ length: farewell.atOnce }, () => this.#tellRefusals(until))
    await Promise.all([...rest.map(untold => this.tell(untold)), ...told])
    for (let lost = this.#nextRefusal(); lost !== null; lost = this.#nextRefusal()) {
      this.#forget(lost)
      this.#ends.drop(notTaken)
    }
  }

  async #tellRefusals(until: number): Promise<void> {
    while (this.#now() < until) {
      const next = this.#nextRefusal()
      if (next === null) return
      await this.tell(next)
    }
  }

  #add(outcome: CommandOutcome, isTooMuch: boolean): void {
    const untold = this.#untold(outcome, false)
    if (isTooMuch || this.#settled.count >= maxSettled) return this.#dropOne()
    load(this.#settled, untold, 1)
    this.#ends.push(untold)
  }

  #refuse(outcome: CommandOutcome): void {
    if (this.#refused.bytes + bytesOf(outcome) > refusalBytes) return this.#dropOne()
    const untold = this.#untold({ ...outcome, id: copyOf(outcome.id) }, true)
    load(this.#refused, untold, 1)
    this.#refusals.add(untold)
    if (this.#refused.count === 1) this.#pushRefusal()
  }

  #dropOne(): void {
    this.#ends.drop('too many outcomes of commands wait for the app')
  }

  /** Lets the next refusal stand in the lane, behind all that wait there now. */
  #pushRefusal(): void {
    const next = this.#isInLane ? this.#nextRefusal() : null
    if (next !== null) this.#ends.push(next)
  }

  #nextRefusal(): Untold | null {
    for (const next of this.#refusals) {
      this.#refusals.delete(next)
      return next
    }
    return null
  }

  #untold(outcome: CommandOutcome, isRefusal: boolean): Untold {
    return { outcome, since: this.#now(), bytes: bytesOf(outcome), isRefusal }
  }

  /** The app has it, or never will. */
  #forget(untold: Untold): void {
    load(untold.isRefusal ? this.#refused : this.#settled, untold, -1)
    if (untold.isRefusal) this.#pushRefusal()
    else if (this.hasRoom) this.#ends.onRoom()
  }

  #hasRoomFor(outcome: CommandOutcome): boolean {
    const { count, bytes } = this.#settled
    return count === 0 || (this.hasRoom && bytes + bytesOf(outcome) <= settledRoom.bytes)
  }

  async #perform(outcome: CommandOutcome): Promise<CommandReply | 'notRun' | 'unknown'> {
    if (this.#connection.identifier === null) return 'unknown'
    try {
      const reply = await this.#connection.perform(
        outcomeData(outcome, this.#station.settings.granularActions),
        new AbortController().signal,
      )
      this.#isTroubled = false
      return reply
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      this.#isTroubled = true
      return error.outcome === 'notRun' ? 'notRun' : 'unknown'
    }
  }

  #mayTellAgain({ since }: Untold): boolean {
    return !this.#isEnding && this.#now() - since < patienceMs
  }

  #pause(untold: Untold): void {
    const timer = setTimeout(() => {
      this.#paused.delete(untold)
      this.#ends.push(untold)
    }, pauseMs)
    this.#paused.set(untold, timer)
  }

  #now(): number {
    return this.#station.world.now().getTime()
  }
}

function load(of: Load, { bytes }: Untold, sign: 1 | -1): void {
  of.count += sign
  of.bytes += sign * bytes
}

function bytesOf(outcome: CommandOutcome): number {
  const { id, request, payload } = outcome
  const words = outcome.kind === 'error' ? outcome.code.length + outcome.message.length : 0
  return outcomeBytes + id.length + request.length + payload.length + words
}

/** A piece of a text keeps all of the text alive, and the text is a whole command. */
function copyOf(id: MessageId): MessageId {
  return Buffer.from(id).toString() as MessageId
}
