/**
 * All sessions: who is connected, which streams lead to whom, and which connection is a station's one.
 */
import type { Broadcast } from '../cable/broadcast.ts'
import type { StreamName } from '../cable/rpc.ts'
import type { StationHandshake, StationId } from '../translate/handshake.ts'
import { AnsweredCalls } from './answered.ts'
import { Comeback } from './comeback.ts'
import type { Disconnects } from './disconnects.ts'
import { paceOf } from './draining.ts'
import type { StationSocket, Surroundings, World } from './ports.ts'
import { Relation } from './relation.ts'
import { Session, type SessionSettings } from './session.ts'
import { newStation } from './station.ts'
import { Swaps } from './takeover.ts'

export type HubSettings = SessionSettings & {
  /** What becomes of a second connection of a station: it replaces the first, or has to go while that is open. */
  readonly takeover: 'newest' | 'refuse'
}

/** How many streams one station may have. */
const maxStreams = 1_000
/** How many stations' serial numbers are remembered, the latest ones. */
const maxSerialNumbers = 100_000

export class Hub {
  readonly #settings: HubSettings
  readonly #disconnects: Disconnects
  readonly #world: World
  /** Every session with an open socket, by the order in which they came. */
  readonly #sessions = new Map<Session, number>()
  #admitted = 0
  /** The same, by station. */
  readonly #open = new Relation<StationId, Session>()
  /** Those the app let in, one a station. */
  readonly #stations = new Map<StationId, Session>()
  /** Those that have left, and whose end the app may still be told. */
  readonly #leaving = new Relation<StationId, Session>()
  /** Those the app let in, and whose end it has not seen, but may yet. */
  readonly #known = new Set<Session>()
  readonly #streams = new Relation<StreamName, Session>()
  readonly #identified = new Relation<string, Session>()
  readonly #serialNumbers = new Map<StationId, string>()
  readonly #answered = new AnsweredCalls()
  readonly #swaps = new Swaps()
  readonly #comeback = new Comeback()
  #isLossSaid = false
  readonly #givenUp = new AbortController()

  constructor(settings: HubSettings, disconnects: Disconnects, world: World) {
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

  /** Whether a new connection of this station has to be refused, for another is open (`ocpp_takeover=refuse`). */
  isTaken(stationId: StationId): boolean {
    return this.#settings.takeover === 'refuse' && this.#stations.has(stationId)
  }

  /**
   * Whether a new connection would take the place of one that the app let in: it has the same credentials, or it is the
   * only one that tries.
   */
  mayReplace(handshake: StationHandshake): boolean {
    const { stationId } = handshake
    const before = this.#stations.get(stationId)
    if (before === undefined) return false
    return this.#open.get(stationId).size === 1 || haveSameCredentials(before.station.handshake, handshake)
  }

  /** Starts the conversation with a station whose socket is open. */
  admit(handshake: StationHandshake, socket: StationSocket): Session {
    const { stationId, version } = handshake
    const station = newStation(handshake, this.#settings, this.#world)
    const session: Session = new Session(
      station,
      socket,
      this.#surroundings(stationId, () => session),
    )
    this.#sessions.set(session, ++this.#admitted)
    this.#open.add(stationId, session)
    this.#world.log.info({ ...station.who, version }, 'station connected')
    const before = this.#stations.get(stationId)
    if (before !== undefined && this.#mayReplaceAtOnce(before, handshake)) this.#replace(before)
    return session
  }

  /** Hands a broadcast to every session that it is for. */
  deliver(broadcast: Broadcast): void {
    const { meter } = this.#world
    meter.count('broadcast_msg_total')
    switch (broadcast.kind) {
      case 'stream': {
        const listeners = [...this.#streams.get(broadcast.stream)].filter(
          ({ station }) => station.who.sid !== broadcast.excludeSid,
        )
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
    for (const session of this.#sessions.keys()) {
      if (!session.isHeard && session.openedAt < openedBefore) session.close(1008, 'No message in time')
    }
  }

  /**
   * Answers what has come in, closes every session, and has the app told of each end, also of those that went before.
   *
   * @param graceMs  how long the app is asked for what a station has sent; after that, it is answered without
   * @param spreadMs over how long the closes are spread; a station is served as before until its turn comes
   */
  async drain(graceMs: number, spreadMs = 0): Promise<void> {
    this.#disconnects.flush()
    this.#swaps.wakeAll()
    const sessions = [...this.#sessions.keys()]
    const { atOnce, pauseMs } = paceOf(sessions.length, spreadMs)
    const drained: Promise<void>[] = []
    while (sessions.length > 0) {
      drained.push(...sessions.splice(0, atOnce).map(session => session.drain(graceMs)))
      if (sessions.length > 0) await pause(pauseMs, this.#givenUp.signal)
    }
    await Promise.all(drained)
    await Promise.all([...this.#leaving.members()].map(session => session.ended))
    this.#sayLoss(this.#disconnects.lost)
  }

  /**
   * The app is asked nothing any more, and waited for by nobody: CALLs are answered without it, outcomes, reports and
   * Disconnects are lost, and `drain` ends.
   */
  giveUp(): void {
    this.#sayLoss(this.#disconnects.lost + this.#known.size)
    this.#givenUp.abort()
    this.#disconnects.giveUp()
    this.#world.rpc.abort()
    this.#swaps.wakeAll()
    // Who still waits, by then, waits for an Ack of the app that comes by a broadcast.
    setImmediate(() => {
      for (const session of [...this.#sessions.keys()]) session.close(1001, 'Server restart')
    })
  }

  #sayLoss(num: number): void {
    if (num === 0 || this.#isLossSaid) return
    this.#isLossSaid = true
    this.#world.log.warn({ num }, 'the app was not told at the end that stations have left')
  }

  #surroundings(stationId: StationId, self: () => Session): Surroundings {
    return {
      streams: {
        join: stream => this.#join(stream, self()),
        leave: stream => this.#streams.delete(stream, self()),
        leaveAll: () => this.#streams.deleteAll(self()),
      },
      registry: {
        claim: connectionIdentifiers => this.#claim(stationId, connectionIdentifiers, self()),
        serialNumber: () => this.#serialNumbers.get(stationId) ?? null,
        onLetIn: serialNumber => this.#onLetIn(stationId, serialNumber),
        putOff: () => this.#comeback.take(self(), this.#now(), this.#world.random()),
        answerTo: call => this.#answered.find(stationId, call, this.#now()),
        answered: (call, answer) => this.#answered.store(stationId, call, answer, this.#now()),
      },
      leave: () => this.#leave(stationId, self()),
      farewell: disconnect => this.#disconnects.add(disconnect),
    }
  }

  #join(stream: StreamName, session: Session): void {
    // A reply may come after the session has left.
    if (session.isClosed) return
    if (this.#streams.countOf(session) < maxStreams) return this.#streams.add(stream, session)
    this.#world.meter.count('ocpp_dropped_total', { reason: 'streams' })
    this.#world.once('streams', session.station.who, 'the app has a station listen to too many streams')
  }

  /** Newest wins, once the app has let it in; the app sees the end of the others first. */
  async #claim(stationId: StationId, connectionIdentifiers: string, session: Session): Promise<void> {
    this.#known.add(session)
    if (this.#stations.has(stationId)) await this.#turn(stationId, session)
    if (session.isClosed) return
    this.#identified.add(connectionIdentifiers, session)
    const before = this.#stations.get(stationId)
    if (before !== undefined && this.#settings.takeover === 'refuse') {
      session.close(1008, 'Another connection of this station is open')
      return
    }
    if (before !== undefined && this.#isNewer(before, session)) {
      this.#replace(session)
      return
    }
    this.#stations.set(stationId, session)
    if (before !== undefined) this.#replace(before)
    // One that the app has not let in yet would otherwise have its end after the newer one's subscribe.
    for (const older of this.#settings.takeover === 'newest' ? [...this.#open.get(stationId)] : [])
      if (this.#isNewer(session, older)) older.close(1008, 'Replaced by a newer connection')
    await Promise.all([...this.#leaving.get(stationId)].map(leaving => leaving.hurry()))
  }

  async #turn(stationId: StationId, session: Session): Promise<void> {
    if (!this.#swaps.isFlapping(stationId, this.#now())) return
    const sentence = 'connections of one station replace each other again and again'
    this.#world.meter.count('ocpp_takeover_slowed_total')
    this.#world.once(`flapping ${stationId}`, session.station.who, sentence)
    await this.#swaps.turn(stationId, session, this.#now())
  }

  /** With the same credentials it need not wait for Connect; see `takeover.ts` for why it may have to all the same. */
  #mayReplaceAtOnce(before: Session, handshake: StationHandshake): boolean {
    if (this.#settings.takeover === 'refuse' || this.#swaps.isFlapping(handshake.stationId, this.#now())) return false
    return haveSameCredentials(before.station.handshake, handshake)
  }

  #now(): number {
    return this.#world.now().getTime()
  }

  #isNewer(one: Session, other: Session): boolean {
    return (this.#sessions.get(one) ?? 0) > (this.#sessions.get(other) ?? 0)
  }

  #replace(before: Session): void {
    this.#swaps.add(before.station.handshake.stationId, this.#now())
    this.#world.meter.count('ocpp_takeover_total')
    before.close(1008, 'Replaced by a newer connection')
  }

  #leave(stationId: StationId, session: Session): void {
    this.#sessions.delete(session)
    this.#open.delete(stationId, session)
    this.#streams.deleteAll(session)
    this.#identified.deleteAll(session)
    if (this.#stations.get(stationId) === session) {
      this.#stations.delete(stationId)
      this.#swaps.wake(stationId)
    } else this.#swaps.wake(stationId, session)
    this.#leaving.add(stationId, session)
    void session.ended.then(() => {
      this.#leaving.delete(stationId, session)
      this.#known.delete(session)
    })
  }

  #onLetIn(stationId: StationId, serialNumber: string): void {
    this.#comeback.onLetIn(this.#now())
    this.#serialNumbers.delete(stationId)
    this.#serialNumbers.set(stationId, serialNumber)
    const [oldest] = this.#serialNumbers.keys()
    if (this.#serialNumbers.size > maxSerialNumbers && oldest !== undefined) this.#serialNumbers.delete(oldest)
  }
}

/** Two sockets without credentials prove nothing about each other. */
function haveSameCredentials(one: StationHandshake, other: StationHandshake): boolean {
  const credentials = one.env.headers['authorization']
  return credentials !== undefined && credentials === other.env.headers['authorization']
}

function pause(ms: number, hurry: AbortSignal): Promise<void> {
  if (hurry.aborted) return Promise.resolve()
  return new Promise(resolve => {
    const end = (): void => {
      clearTimeout(timer)
      hurry.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    hurry.addEventListener('abort', end)
  })
}
