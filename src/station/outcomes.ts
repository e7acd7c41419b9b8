/**
 * Tells the app how its remote commands ended.
 */
import { RpcError, type CommandReply } from '../cable/rpc.ts'
import type { VersionRow } from '../ocpp/version.ts'
import { outcomeData, type CommandOutcome } from '../translate/commands.ts'
import type { AppConnection } from './connection.ts'
import type { World } from './ports.ts'

export class Outcomes {
  readonly #row: VersionRow
  readonly #granular: boolean
  readonly #connection: AppConnection
  readonly #world: World

  constructor(row: VersionRow, granular: boolean, connection: AppConnection, world: World) {
    this.#row = row
    this.#granular = granular
    this.#connection = connection
    this.#world = world
  }

  count({ request, failure, kind }: CommandOutcome): void {
    const action = this.#row.toStation.has(request) ? request : 'other'
    this.#world.meter.count('ocpp_command_total', { version: this.#row.number, action, outcome: failure ?? kind })
  }

  /** Performs `ack` or `error`, also for a station that has left; `null` where the app did not take it. */
  async tell(outcome: CommandOutcome): Promise<CommandReply | null> {
    if (this.#connection.identifier === null) return null
    try {
      return await this.#connection.perform(outcomeData(outcome, this.#granular), new AbortController().signal)
    } catch (error) {
      if (error instanceof RpcError) return null
      throw error
    }
  }
}
