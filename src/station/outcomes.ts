/**
 * Tells the app how its remote commands ended: by the lane while the station is there, and all at once at its end.
 */
import { RpcError, type CommandReply } from '../cable/rpc.ts'
import { outcomeData, type CommandOutcome } from '../translate/commands.ts'
import type { AppConnection } from './connection.ts'
import type { Station } from './station.ts'

/** An outcome the app does not know yet, and since when (as `Date` counts). */
export type Untold = { readonly outcome: CommandOutcome; readonly since: number }

export type OutcomesSettings = { readonly granularActions: boolean }

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
  readonly #station: Station<OutcomesSettings>
  readonly #connection: AppConnection
  readonly #ends: OutcomesEnds
  readonly #paused = new Map<Untold, NodeJS.Timeout>()
  /** Outcomes that did not have their turn. */
  readonly #aside: Untold[] = []
  #untold = 0
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

  /** How a remote command ended. */
  ofCommand(outcome: CommandOutcome): void {
    const { request, failure, kind } = outcome
    const { row, world } = this.#station
    const action = row.toStation.has(request) ? request : 'other'
    world.meter.count('ocpp_command_total', { version: row.number, action, outcome: failure ?? kind })
    this.add(outcome)
  }

  /** A station's word on what the app sent it. */
  add(outcome: CommandOutcome): void {
    const isRefused = !afterLine.includes(outcome.failure)
    if (this.#untold >= (isRefused ? maxUntold.refused : maxUntold.all))
      return this.#ends.drop('too many outcomes of commands wait for the app')
    this.#untold++
    this.#ends.push({ outcome, since: this.#station.world.now().getTime() })
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

  /** Keeps an outcome that cannot have its turn any more for the end. */
  putAside(untold: Untold): void {
    this.#aside.push(untold)
  }

  /** Tells the rest, side by side: a station that is back already waits for it. */
  async end(): Promise<void> {
    this.stop()
    const rest = [...this.#aside.splice(0), ...this.#paused.keys()]
    for (const timer of this.#paused.values()) clearTimeout(timer)
    this.#paused.clear()
    await Promise.all(rest.map(untold => this.tell(untold)))
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
    return !this.#isEnding && this.#station.world.now().getTime() - since < patienceMs
  }

  #pause(untold: Untold): void {
    const timer = setTimeout(() => {
      this.#paused.delete(untold)
      this.#ends.push(untold)
    }, pauseMs)
    this.#paused.set(untold, timer)
  }
}
