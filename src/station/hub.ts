/**
 * All sessions: who is connected, which streams lead to whom, and which connection is a station's one.
 */
import type { Broadcast } from '../cable/broadcast.ts'
import type { StreamName } from '../cable/rpc.ts'
import type { StationHandshake, StationId } from '../translate/handshake.ts'
import type { Disconnects } from './disconnects.ts'
import type { StationSocket, Surroundings, World } from './ports.ts'
import { Session, type SessionSettings } from './session.ts'

/** How many stations' serial numbers are remembered, the latest ones. */
const maxSerialNumbers = 100_000

export class Hub {
  readonly #settings: SessionSettings
  readonly #disconnects: Disconnects
  readonly #world: World
  /** Every session with an open socket. */
  readonly #sessions = new Set<Session>()
  /** Those the app let in, one a station. */
  readonly #stations = new Map<StationId, Session>()
  /** Those whose end the app has not seen yet. */
  readonly #leaving = new Index<StationId, Session>()
  readonly #streams = new Index<StreamName, Session>()
  readonly #identified = new Index<string, Session>()
  readonly #serialNumbers = new Map<StationId, string>()

  constructor(settings: SessionSettings, disconnects: Disconnects, world: World) {
    this.#settings = settings
    this.#disconnects = disconnects
    this.#world = world
  }

  get size(): number {
    return this.#sessions.size
  }

  get streamCount(): number {
    return this.#streams.size
  }

  /** Whether a session of this station is open: a new one takes its place, and none beside it. */
  has(stationId: StationId): boolean {
    return this.#stations.has(stationId)
  }

  /** Starts the conversation with a station whose socket is open. */
  admit(handshake: StationHandshake, socket: StationSocket): Session {
    const session: Session = new Session(
      handshake,
      socket,
      this.#settings,
      this.#surroundings(handshake.stationId, () => session),
      this.#world,
    )
    this.#sessions.add(session)
    this.#world.log.info(
      { sid: session.sid, station: handshake.stationId, version: handshake.version },
      'station connected',
    )
    const before = this.#stations.get(handshake.stationId)
    if (before !== undefined && haveSameCredentials(before.handshake, handshake)) this.#replace(before)
    return session
  }

  /** Hands a broadcast to every session that it is for. */
  deliver(broadcast: Broadcast): void {
    const { meter } = this.#world
    meter.count('broadcast_msg_total')
    switch (broadcast.kind) {
      case 'stream': {
        const listeners = [...this.#streams.get(broadcast.stream)].filter(({ sid }) => sid !== broadcast.excludeSid)
        if (listeners.length === 0) meter.count('ocpp_dropped_total', { reason: 'no_station' })
        for (const session of listeners) session.deliver(broadcast.data)
        return
      }
      case 'disconnect':
        meter.count('remote_commands_total')
        for (const session of [...this.#identified.get(broadcast.connectionIdentifiers)])
          session.close(1000, 'Closed remotely')
        return
      case 'unreadable':
        meter.count('failed_broadcast_msg_total')
        return this.#world.once(broadcast.problem, { problem: broadcast.problem }, 'a broadcast could not be read')
    }
  }

  /** Closes the sessions that were opened before a time (as `Date` counts) and have had no CALL of their station yet. */
  closeUnheard(openedBefore: number): void {
    for (const session of this.#sessions) {
      if (!session.isHeard && session.openedAt < openedBefore) session.close(1008, 'No message in time')
    }
  }

  /** Answers what has come in, closes every session, and lets the app see each end. */
  async drain(): Promise<void> {
    await Promise.all([...this.#sessions].map(session => session.drain()))
    await this.#disconnects.flush()
  }

  #surroundings(stationId: StationId, self: () => Session): Surroundings {
    return {
      streams: {
        // A reply may come after the session has left.
        join: stream => (self().isClosed ? undefined : this.#streams.add(stream, self())),
        leave: stream => this.#streams.delete(stream, self()),
        leaveAll: () => this.#streams.deleteAll(self()),
      },
      registry: {
        claim: connectionIdentifiers => this.#claim(stationId, connectionIdentifiers, self()),
        serialNumber: () => this.#serialNumbers.get(stationId) ?? null,
        remember: serialNumber => this.#remember(stationId, serialNumber),
      },
      leave: () => this.#leave(stationId, self()),
      farewell: disconnect => this.#disconnects.add(disconnect),
    }
  }

  /** Newest wins, once the app has let it in; the app sees the end of the others first. */
  async #claim(stationId: StationId, connectionIdentifiers: string, session: Session): Promise<void> {
    if (session.isClosed) return
    this.#identified.add(connectionIdentifiers, session)
    const before = this.#stations.get(stationId)
    this.#stations.set(stationId, session)
    if (before !== undefined) this.#replace(before)
    await Promise.all([...this.#leaving.get(stationId)].map(leaving => leaving.hurry()))
  }

  #replace(before: Session): void {
    this.#world.meter.count('ocpp_takeover_total')
    before.close(1008, 'Replaced by a newer connection')
  }

  #leave(stationId: StationId, session: Session): void {
    this.#sessions.delete(session)
    this.#streams.deleteAll(session)
    this.#identified.deleteAll(session)
    if (this.#stations.get(stationId) === session) this.#stations.delete(stationId)
    this.#leaving.add(stationId, session)
    void session.ended.then(() => this.#leaving.delete(stationId, session))
  }

  #remember(stationId: StationId, serialNumber: string): void {
    this.#serialNumbers.delete(stationId)
    this.#serialNumbers.set(stationId, serialNumber)
    const [oldest] = this.#serialNumbers.keys()
    if (this.#serialNumbers.size > maxSerialNumbers && oldest !== undefined) this.#serialNumbers.delete(oldest)
  }
}

/** Many to many, from both sides: leaving all is no scan. */
class Index<Key, Member extends object> {
  readonly #members = new Map<Key, Set<Member>>()
  readonly #keys = new Map<Member, Set<Key>>()

  get size(): number {
    return this.#members.size
  }

  get(key: Key): ReadonlySet<Member> {
    return this.#members.get(key) ?? new Set()
  }

  add(key: Key, member: Member): void {
    entry(this.#members, key).add(member)
    entry(this.#keys, member).add(key)
  }

  delete(key: Key, member: Member): void {
    remove(this.#members, key, member)
    remove(this.#keys, member, key)
  }

  deleteAll(member: Member): void {
    for (const key of [...(this.#keys.get(member) ?? [])]) this.delete(key, member)
  }
}

function entry<A, B>(map: Map<A, Set<B>>, key: A): Set<B> {
  const present = map.get(key)
  if (present !== undefined) return present
  const made = new Set<B>()
  map.set(key, made)
  return made
}

function remove<A, B>(map: Map<A, Set<B>>, key: A, value: B): void {
  const set = map.get(key)
  set?.delete(value)
  if (set?.size === 0) map.delete(key)
}

/** Two sockets without credentials prove nothing about each other. */
function haveSameCredentials(one: StationHandshake, other: StationHandshake): boolean {
  const credentials = one.env.headers['authorization']
  return credentials !== undefined && credentials === other.env.headers['authorization']
}
