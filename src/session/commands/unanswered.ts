/**
 * Commands that were on the wire, unanswered, when their connection ended. The station may have carried them out, and
 * answers on its next connection: until then the app knows `ConnectionClosed` only.
 */
import { idKey, type Call, type MessageId } from '../../ocpp/frame.ts'
import { copyOf, emptyObject, jsonText, parseObject } from '../../ocpp/json.ts'
import type { VersionRow } from '../../ocpp/version.ts'
import { setRecent } from '../../ops/recent.ts'
import type { CommandOutcome } from '../../translate/commands.ts'
import type { StationId } from '../../translate/handshake.ts'

/** What an operator wants of a command. */
export type Asked = {
  /** From now to the answer, the time in the queue included. */
  readonly timeoutMs: number
  /** Whether the app gets the outcome, too. */
  readonly notify: boolean
  readonly onEnd: (outcome: CommandOutcome) => void
}

/** A remote command; `asked` by an operator, or `null` for one of the app; `givenAt` in ms of `World.now`. */
export type Command = Call & { readonly asked: Asked | null; readonly givenAt: number }

/** A command that is about to end. */
export type Ended = {
  readonly call: Command
  /** Whether the app has been told before that it failed. */
  readonly late: boolean
  /** Of the connection that it was sent on, if that was an earlier one. */
  readonly sid?: string
}

export type Unanswered = {
  /** Of a long payload, only what its answer is compared with. */
  readonly call: Command
  /** Of the connection that it was sent on. */
  readonly sid: string
}

type Row = Pick<VersionRow, 'configurationCommand' | 'essence'>

type Kept = Unanswered & { readonly at: number }

const lifeMs = 15 * 60_000
const maxStations = 5_000
/** As many as one connection leaves: those that have timed out, and the open one. */
const maxOfStation = 17
/** In characters: two keys and the heartbeat interval, with the names of their components. */
const maxPayload = 2_048

export class UnansweredCommands {
  /** A field, because it is read for each command that is sent. */
  isEmpty = true
  readonly #now: () => number
  /** By station, the one that left last at the end. Each has its commands by `idKey`, the latest at the end. */
  readonly #stations = new Map<StationId, Map<string, Kept>>()

  /** @param now monotonic, in ms */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Of all stations. */
  get size(): number {
    let size = 0
    for (const commands of this.#stations.values()) size += commands.size
    return size
  }

  keep(stationId: StationId, { call, sid }: Unanswered, row: Row): void {
    const commands = this.#stations.get(stationId) ?? new Map<string, Kept>()
    setRecent(commands, copyOf(idKey(call.id)), { call: shortened(call, row), sid, at: this.#now() }, maxOfStation)
    setRecent(this.#stations, stationId, commands, maxStations)
    this.isEmpty = false
    this.#expire()
  }

  /** Removes the command with this id and returns it; `null` if there is none. */
  take(stationId: StationId, id: MessageId): Unanswered | null {
    this.#expire()
    const commands = this.#stations.get(stationId)
    const key = idKey(id)
    const kept = commands?.get(key)
    if (commands === undefined || kept === undefined) return null
    commands.delete(key)
    if (commands.size === 0) this.#delete(stationId)
    return this.#isOld(kept) ? null : kept
  }

  /** Forgets the stations whose last command is too old. */
  #expire(): void {
    for (const [stationId, commands] of this.#stations) {
      const last = [...commands.values()].at(-1)
      if (last !== undefined && !this.#isOld(last)) return
      this.#delete(stationId)
    }
  }

  #isOld({ at }: Kept): boolean {
    return this.#now() - at >= lifeMs
  }

  #delete(stationId: StationId): void {
    this.#stations.delete(stationId)
    this.isEmpty = this.#stations.size === 0
  }
}

function shortened({ kind, id, action, payload, asked, givenAt }: Command, row: Row): Command {
  const isWhole = payload.length <= maxPayload || action !== row.configurationCommand
  const essence = isWhole ? payload : jsonText(row.essence(parseObject(payload)))
  const kept = essence.length <= maxPayload ? copyOf(essence) : emptyObject
  return { kind, id: copyOf(id), action: copyOf(action), payload: kept, asked, givenAt }
}
