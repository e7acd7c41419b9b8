/**
 * Tells the app how its remote commands ended: by the lane while the station is there, and all at once at its end.
 */
import { RpcError, type CommandReply } from '../cable/rpc.ts'
import type { VersionRow } from '../ocpp/version.ts'
import { outcomeData, type CommandOutcome } from '../translate/commands.ts'
import type { AppConnection } from './connection.ts'
import type { World } from './ports.ts'

/** An outcome the app does not know yet, and since when (as `Date` counts). */
export type Untold = { readonly outcome: CommandOutcome; readonly since: number }

export type OutcomesEnds = {
  /** Puts an outcome into the lane. */
  push(untold: Untold): void
  apply(reply: CommandReply): void
  drop(message: string): void
}

/** A flood of commands makes a flood of refusals; what came of those that were sent has a room of its own. */
const maxUntold = { refused: 1_000, all: 2_000 }
/** Said of a command that had its place in the line. */
const afterLine: readonly (string | null)[] = [null, 'CallTimeout', 'ConnectionClosed', 'InvalidResult']
/** For so long an outcome is told again to an app that cannot have got it, with this pause. */
const patienceMs = 20_000
const pauseMs = 1_000

export class Outcomes {
  readonly #row: VersionRow
  readonly #granular: boolean
  readonly #connection: AppConnection
  readonly #world: World
  readonly #ends: OutcomesEnds
  readonly #paused = new Map<Untold, NodeJS.Timeout>()
  #untold = 0
  #isEnding = false
  #isTroubled = false

  constructor(row: VersionRow, granular: boolean, connection: AppConnection, world: World, ends: OutcomesEnds) {
    this.#row = row
    this.#granular = granular
    this.#connection = connection
    this.#world = world
    this.#ends = ends
  }

  /** Whether the app did not take the last one: the station's own CALLs go before the next. */
  get isTroubled(): boolean {
    return this.#isTroubled
  }

  /** How a remote command ended. */
  ofCommand(outcome: CommandOutcome): void {
    const { request, failure, kind } = outcome
    const action = this.#row.toStation.has(request) ? request : 'other'
    this.#world.meter.count('ocpp_command_total', { version: this.#row.number, action, outcome: failure ?? kind })
    this.add(outcome)
  }

  /** A station's word on what the app sent it. */
  add(outcome: CommandOutcome): void {
    const isRefused = !afterLine.includes(outcome.failure)
    if (this.#untold >= (isRefused ? maxUntold.refused : maxUntold.all))
      return this.#ends.drop('too many outcomes of commands wait for the app')
    this.#untold++
    this.#ends.push({ outcome, since: this.#world.now().getTime() })
  }

  /** Performs `ack` or `error`; once more later where the app cannot have run it. */
  async tell(untold: Untold): Promise<void> {
    const reply = await this.#perform(untold.outcome)
    if (reply === 'notRun' && this.#mayTellAgain(untold)) {
      this.#pause(untold)
      return
    }
    this.#untold--
    if (typeof reply === 'object') this.#ends.apply(reply)
    else this.#ends.drop('the app did not take the outcome of a command')
  }

  /** From now on each is told once: the bridge is going. */
  stop(): void {
    this.#isEnding = true
  }

  /** Tells the rest, side by side: a station that is back already waits for it. */
  async end(waiting: readonly Untold[]): Promise<void> {
    this.stop()
    const rest = [...waiting, ...this.#paused.keys()]
    for (const timer of this.#paused.values()) clearTimeout(timer)
    this.#paused.clear()
    await Promise.all(rest.map(untold => this.tell(untold)))
  }

  async #perform(outcome: CommandOutcome): Promise<CommandReply | 'notRun' | 'unknown'> {
    if (this.#connection.identifier === null) return 'unknown'
    try {
      const reply = await this.#connection.perform(outcomeData(outcome, this.#granular), new AbortController().signal)
      this.#isTroubled = false
      return reply
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      this.#isTroubled = true
      return error.outcome === 'notRun' ? 'notRun' : 'unknown'
    }
  }

  #mayTellAgain({ since }: Untold): boolean {
    return !this.#isEnding && this.#world.now().getTime() - since < patienceMs
  }

  #pause(untold: Untold): void {
    const timer = setTimeout(() => {
      this.#paused.delete(untold)
      this.#ends.push(untold)
    }, pauseMs)
    this.#paused.set(untold, timer)
  }
}
