/**
 * Which connection is a station's only one, and how a newer connection takes over.
 *
 * The app sees the end of an older connection before the newer one's subscribe: it would otherwise mark a station
 * offline that is connected.
 */
import type { Member, World } from '../session/ports.ts'
import type { StationHandshake, StationId } from '../translate/handshake.ts'
import { Relation } from './relation.ts'
import { Takeovers } from './takeovers.ts'

/** What becomes of a station's second connection: it replaces the first, or is refused while the first is open. */
export type Takeover = 'newest' | 'refuse'

/** A connection whose Disconnect is due. */
export type Leaving = Pick<Member, 'ended' | 'expedite'>

export class Claims {
  readonly #takeover: Takeover
  readonly #world: Pick<World, 'now' | 'meter' | 'once'>
  readonly #takeovers = new Takeovers()
  /** Open sessions by station, in the order of arrival. */
  readonly #open = new Relation<StationId, Member>()
  /** The session that the app has accepted, for each station. */
  readonly #accepted = new Map<StationId, Member>()
  readonly #leaving = new Relation<StationId, Leaving>()

  constructor(takeover: Takeover, world: Pick<World, 'now' | 'meter' | 'once'>) {
    this.#takeover = takeover
    this.#world = world
  }

  /** Sessions that have closed and whose Disconnect is still due. */
  get leaving(): Iterable<Leaving> {
    return this.#leaving.members()
  }

  /** Whether another connection of the station keeps this one out (`ocpp_takeover=refuse`). */
  isTaken(stationId: StationId): boolean {
    return this.#takeover === 'refuse' && this.#accepted.has(stationId)
  }

  /** Whether the app has accepted another connection of the session's station, and that one is open. */
  isOfAnother(session: Member): boolean {
    return (this.#accepted.get(session.handshake.stationId) ?? session) !== session
  }

  /**
   * Whether a new connection would replace one that the app has accepted: it has the same credentials, or no other
   * connection of the station is trying.
   */
  mayReplace(handshake: StationHandshake): boolean {
    const { stationId } = handshake
    const before = this.#accepted.get(stationId)
    if (before === undefined) return false
    return this.#open.get(stationId).length === 1 || haveSameCredentials(before.handshake, handshake)
  }

  /** The stations with an open connection. */
  stationIds(): Iterable<StationId> {
    return this.#open.keys()
  }

  /** The session that the app has accepted, else the station's newest one; `null` if it is not connected. */
  current(stationId: StationId): Member | null {
    return this.#accepted.get(stationId) ?? this.#open.get(stationId).at(-1) ?? null
  }

  /** Notes an open session. With the same credentials it takes over at once, unless the station is slowed down. */
  open(session: Member): void {
    const { stationId } = session.handshake
    this.#open.add(stationId, session)
    const before = this.#accepted.get(stationId)
    if (before === undefined || this.#takeover === 'refuse') return
    if (this.#takeovers.isFlapping(stationId, this.#world.now())) return
    if (haveSameCredentials(before.handshake, session.handshake)) this.#replace(before)
  }

  /** Waits before a takeover, where connections of the station keep replacing each other. */
  async delay(session: Member): Promise<void> {
    const { stationId } = session.handshake
    const isTakeover = this.#accepted.has(stationId) && !session.isClosed
    if (!isTakeover || !this.#takeovers.isFlapping(stationId, this.#world.now())) return
    this.#world.meter.count('ocpp_takeover_slowed_total')
    this.#world.once(
      `flapping ${stationId}`,
      session.who,
      'connections of one station keep replacing each other: look for a second device with its id',
    )
    await this.#takeovers.delay(stationId, session, this.#world.now())
  }

  /**
   * Makes a session that the app has accepted its station's only one, or closes it: the newest connection wins, or the
   * first one with `refuse`. Resolves when the app has seen the end of the others, or cannot be told.
   */
  async claim(session: Member): Promise<void> {
    const { stationId } = session.handshake
    const before = this.#accepted.get(stationId)
    if (before !== undefined && this.#takeover === 'refuse') {
      session.close(1008, 'Another connection of this station is open')
      return
    }
    if (before !== undefined && this.#isNewer(before, session)) {
      this.#replace(session)
      return
    }
    this.#accepted.set(stationId, session)
    if (before !== undefined) this.#replace(before)
    // The end of a session that is still in Connect would otherwise come after this session's subscribe.
    for (const older of this.#takeover === 'newest' ? this.#open.get(stationId) : [])
      if (this.#isNewer(session, older)) older.close(1008, 'Replaced by a newer connection')
    await Promise.all(this.#leaving.get(stationId).map(leaving => leaving.expedite()))
  }

  close(session: Member): void {
    const { stationId } = session.handshake
    this.#open.delete(stationId, session)
    if (this.#accepted.get(stationId) === session) {
      this.#accepted.delete(stationId)
      // Nothing is left to take over.
      this.#takeovers.endWaits(stationId)
    } else this.#takeovers.endWaits(stationId, session)
    this.onLeft(stationId, session)
  }

  /** Ends all connections of stations whose key counts no more. */
  closeStations(stationIds: readonly StationId[]): void {
    for (const stationId of stationIds)
      for (const session of this.#open.get(stationId)) session.close(1008, 'The key of this station has changed')
  }

  /** Ends the connections with which a station proves less than it has proved before. */
  closeLower(problemOf: (handshake: StationHandshake) => string | null): void {
    for (const session of [...this.#open.members()]) {
      const problem = problemOf(session.handshake)
      if (problem !== null) session.close(1008, problem)
    }
  }

  /** The app has accepted a connection that has closed since. */
  onLeft(stationId: StationId, leaving: Leaving): void {
    this.#leaving.add(stationId, leaving)
    void leaving.ended.then(() => this.#leaving.delete(stationId, leaving))
  }

  /** Ends all waits before a takeover. */
  endWaits(): void {
    this.#takeovers.endAllWaits()
  }

  #isNewer(one: Member, other: Member): boolean {
    const open = this.#open.get(one.handshake.stationId)
    return open.indexOf(one) > open.indexOf(other)
  }

  #replace(before: Member): void {
    this.#takeovers.add(before.handshake.stationId, this.#world.now())
    this.#world.meter.count('ocpp_takeover_total')
    before.close(1008, 'Replaced by a newer connection')
  }
}

/** Two sockets without credentials prove nothing about each other. */
function haveSameCredentials(one: StationHandshake, other: StationHandshake): boolean {
  const credentials = one.env.headers['authorization']
  return credentials !== undefined && credentials === other.env.headers['authorization']
}
