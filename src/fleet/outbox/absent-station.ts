/**
 * Delivers the stored messages of a station that is not connected. The app restores a connection for each command from
 * what the call carries, so the call carries what the station's last subscribe had. There is no Connect, which would
 * need the station's credentials, and no Disconnect, which would mark a station offline that is connected to another
 * bridge.
 *
 * Source: anycable-rb `rpc/handlers/command.rb`, anycable-rails `connection.rb`.
 */
import type { CommandReply } from '../../cable/rpc.ts'
import { Delivering, type DeliveringSettings } from '../../session/app/delivering.ts'
import type { AppSession, DeliveryAttempt, Fleet, StationSocket, World } from '../../session/ports.ts'
import { Station } from '../../session/station.ts'
import type { StationId } from '../../translate/handshake.ts'
import type { AppMessage } from '../../translate/messages.ts'
import type { Backlog } from './backlog.ts'

/** @returns `null` where the app has not accepted the station yet, as far as is known */
export async function openAbsentStation(
  settings: DeliveringSettings,
  fleet: Pick<Fleet, 'transactions'> & { readonly backlog: Backlog | null },
  world: World,
  stationId: StationId,
): Promise<AbsentStation | null> {
  const { backlog } = fleet
  const session = (await backlog?.sessionOf(stationId)) ?? null
  if (backlog === null || session === null) return null
  const { version, env } = session
  const handshake = { kind: 'station', stationId, version, subprotocol: null, profile: 0, proven: 0, env } as const
  return new AbsentStation(new Station(handshake, noSocket, settings, world), session, fleet, backlog)
}

class AbsentStation {
  readonly #station: Station<DeliveringSettings>
  readonly #session: AppSession
  readonly #delivering: Delivering

  constructor(
    station: Station<DeliveringSettings>,
    session: AppSession,
    fleet: Pick<Fleet, 'transactions'>,
    backlog: Backlog,
  ) {
    this.#station = station
    this.#session = session
    this.#delivering = new Delivering(station, backlog, {
      fleet,
      app: { identifier: session.identifier, perform: this.#perform.bind(this) },
      attaching: { attach: () => Promise.resolve(true), attachUnprompted: () => Promise.resolve('skipped') },
      messages: { take: this.#drop.bind(this) },
      lane: { push: entry => void this.#delivering.serve(entry).catch(this.#onFault.bind(this)) },
    })
  }

  /** Delivers the next message; a session that opens meanwhile delivers the messages after that. */
  next(): Promise<DeliveryAttempt> {
    return this.#delivering.next()
  }

  #perform(data: string, signal = this.#station.closed): Promise<CommandReply> {
    const { who, world } = this.#station
    const { connectionIdentifiers, identifier, env } = this.#session
    return world.rpc.command({ command: 'message', identifier, data, sid: who.sid, env, connectionIdentifiers }, signal)
  }

  #drop(messages: readonly AppMessage[]): void {
    for (const { kind } of messages) if (kind === 'command') this.#station.drop('no_station', droppedText)
  }

  #onFault(error: unknown): void {
    const { who, world } = this.#station
    world.log.error({ ...who, error }, 'a bug in the bridge ended the delivery of a stored message')
  }
}

/** The socket of a station that is not connected. */
const noSocket: StationSocket = {
  isOpen: false,
  answersPings: false,
  send: () => undefined,
  close: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
  accept: () => undefined,
  expectLargeMessages: () => false,
  probe: () => undefined,
  expectHeartbeats: () => undefined,
}

const droppedText = 'dropped a command in the reply to a stored message: its station is not connected'
