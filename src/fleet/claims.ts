/**
 * Which connection is a station's only one, and how a newer connection takes over.
 *
 * The app sees the end of an older connection before the newer one's subscribe: it would otherwise mark a station
 * offline that is connected.
 */
import type { Member, World } from '../session/ports.ts'
import { fingerprintIn } from '../translate/certificate.ts'
import type { StationHandshake, StationId } from '../translate/handshake.ts'
import { Relation } from './relation.ts'
import { Takeovers } from './takeovers.ts'

/** What becomes of a station's second connection: it replaces the first, or is refused while the first is open. */
export type Takeover = 'newest' | 'refuse'

/** A connection whose Disconnect is due. */
export type Leaving = Pick<Member, 'ended' | 'expedite'>

const replaced = 'Replaced by a newer connection'

export class Claims {
  readonly #takeover: Takeover
  readonly #world: Pick<World, 'keys' | 'now' | 'meter' | 'once'>
  readonly #takeovers = new Takeovers()
  /** Open sessions by station, in the order of arrival. */
  readonly #open = new Relation<StationId, Member>()
  /** The session that the app has accepted, for each station. */
  readonly #accepted = new Map<StationId, Member>()
  /** The session that the app has accepted and that waits before its takeover, for each station. */
  readonly #waiting = new Map<StationId, Member>()
  readonly #leaving = new Relation<StationId, Leaving>()

  constructor(takeover: Takeover, world: Pick<World, 'keys' | 'now' | 'meter' | 'once'>) {
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
   * Whether a new connection would soon replace one of its station, so that a full bridge has room for it: it has the
   * same credentials, or no other connection of the station is trying. One whose takeover has to wait has no room.
   *
   * @param asking how many other upgrades of the station wait for the app
   */
  mayReplace(handshake: StationHandshake, asking = 0): boolean {
    const { stationId } = handshake
    const open = this.#open.get(stationId)
    const before = this.#accepted.get(stationId)
    if (open.some(one => one !== before && this.#areOfOne(one.handshake, handshake))) return true
    if (before === undefined || this.#takeovers.waitMs(stationId, this.#world.now()) > 0) return false
    return this.#areOfOne(before.handshake, handshake) || (open.length === 1 && asking === 0)
  }

  /** The stations with an open connection. */
  stationIds(): Iterable<StationId> {
    return this.#open.keys()
  }

  /** The session that the app has accepted, else the station's newest one; `null` if it is not connected. */
  current(stationId: StationId): Member | null {
    return this.#accepted.get(stationId) ?? this.#open.get(stationId).at(-1) ?? null
  }

  /**
   * Notes an open session. With the same credentials it takes over at once, unless the station is slowed down; of those
   * that the app has not accepted, only the newest stays in any case.
   */
  open(session: Member): void {
    const { stationId } = session.handshake
    const before = this.#accepted.get(stationId)
    for (const older of this.#open.get(stationId))
      if (older !== before && this.#areOfOne(older.handshake, session.handshake)) older.close(1008, replaced)
    this.#open.add(stationId, session)
    if (before === undefined || this.#takeover === 'refuse') return
    if (this.#takeovers.isFlapping(stationId, this.#world.now())) return
    if (this.#areOfOne(before.handshake, session.handshake)) this.#replace(before)
  }

  /**
   * Waits before a takeover, where connections of the station keep replacing each other. The newest of them waits; the
   * others are closed.
   */
  async delay(session: Member): Promise<void> {
    const { stationId } = session.handshake
    const isTakeover = this.#accepted.has(stationId) && !session.isClosed
    if (!isTakeover || !this.#takeovers.isFlapping(stationId, this.#world.now())) return
    const waiting = this.#waiting.get(stationId) ?? session
    if (this.#isNewer(waiting, session)) {
      session.close(1008, replaced)
      return
    }
    if (waiting !== session) waiting.close(1008, replaced)
    this.#waiting.set(stationId, session)
    this.#world.meter.count('ocpp_takeover_slowed_total')
    this.#world.once(
      `flapping ${stationId}`,
      session.who,
      'connections of one station keep replacing each other: look for a second device with its id',
    )
    await this.#takeovers.delay(stationId, session, this.#world.now())
    if (this.#waiting.get(stationId) === session) this.#waiting.delete(stationId)
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
      if (this.#isNewer(session, older)) older.close(1008, replaced)
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
    before.close(1008, replaced)
  }

  /**
   * Whether two connections of one station id are of the same peer. Two without credentials prove nothing about each
   * other. Where the bridge holds keys, both have had the right one, or the station's certificate.
   */
  #areOfOne(one: StationHandshake, other: StationHandshake): boolean {
    const [before, now] = [one.env.headers, other.env.headers]
    const isSame = (a = '', b = ''): boolean => a !== '' && a === b
    if (this.#world.keys !== null || isSame(before['authorization'], now['authorization'])) return true
    return isSame(fingerprintIn(before) ?? '', fingerprintIn(now) ?? '')
  }
}
