/**
 * How a session looks from outside: read on demand from the parts that own its state.
 */
import { idKey, type Call, type Send } from '../../ocpp/frame.ts'
import { parseObject } from '../../ocpp/json.ts'
import type { AppConnection } from '../app/connection.ts'
import type { Boot } from '../boot.ts'
import type { Answering } from '../calls/answering.ts'
import type { Commands } from '../commands/commands.ts'
import type { Outcomes } from '../commands/outcomes.ts'
import type { Entry } from '../entries.ts'
import type { Inbox } from '../inbox.ts'
import type { Inspected, OpenCall, SessionState, SessionView } from '../ports.ts'
import type { Station } from '../station.ts'

export type ViewParts = {
  readonly app: Pick<AppConnection, 'identifier'>
  readonly boot: Pick<Boot, 'status'>
  readonly inbox: Pick<Inbox<Entry>, 'load' | 'waiting'>
  readonly answering: Pick<Answering, 'pending'>
  readonly commands: Pick<Commands, 'queued' | 'unsettled'>
  readonly outcomes: Pick<Outcomes, 'pending'>
}

export class View implements Inspected {
  readonly #station: Pick<Station, 'record'>
  readonly #parts: ViewParts

  constructor(station: Pick<Station, 'record'>, parts: ViewParts) {
    this.#station = station
    this.#parts = parts
  }

  get state(): SessionState {
    return this.#parts.app.identifier === null ? 'attaching' : this.#parts.boot.status
  }

  get load(): Inspected['load'] {
    const { commands, inbox } = this.#parts
    return { commands: commands.queued, messages: inbox.load.messages }
  }

  get lastMessageAt(): number | null {
    return this.#station.record.lastMessageAt
  }

  get errors(): Inspected['errors'] {
    return this.#station.record.errors
  }

  get violation(): Inspected['violation'] {
    return this.#station.record.violation
  }

  get messages(): number {
    const { received, sent } = this.#station.record
    return sumOf(received) + sumOf(sent)
  }

  get sn(): string | null {
    const { identifier } = this.#parts.app
    const { sn } = parseObject(identifier ?? '{}')
    return typeof sn === 'string' ? sn : null
  }

  detail(): SessionView {
    const { inbox, outcomes, commands } = this.#parts
    const { received, sent } = this.#station.record
    const toStation = commands.unsettled()
    return {
      fromStation: [...this.#fromStation()],
      toStation,
      queues: {
        ...inbox.load,
        commands: toStation.filter(({ since }) => since === null).length,
        outcomes: outcomes.pending,
      },
      received: Object.fromEntries(received ?? []),
      sent: Object.fromEntries(sent ?? []),
    }
  }

  /** The CALL that is being answered, and those that wait in the inbox. */
  *#fromStation(): Generator<OpenCall> {
    const { answering, inbox } = this.#parts
    const { pending } = answering
    if (pending !== null && !pending.isAnswered) yield openCall(pending)
    for (const entry of inbox.waiting) if (entry.kind === 'call' && entry.call.kind === 'call') yield openCall(entry)
  }
}

function sumOf(counts: ReadonlyMap<string, number> | null): number {
  let sum = 0
  if (counts !== null) for (const count of counts.values()) sum += count
  return sum
}

function openCall({
  call: { id, action },
  receivedAt,
}: {
  readonly call: Call | Send
  readonly receivedAt: number
}): OpenCall {
  return { id: idKey(id), action, since: receivedAt }
}
