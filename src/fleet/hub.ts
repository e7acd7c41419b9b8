/**
 * All sessions: who is connected, which streams lead to whom, and how they end.
 */
import type { Broadcast } from '../cable/broadcast.ts'
import type { Connected, StreamName } from '../cable/rpc.ts'
import { versions } from '../ocpp/version.ts'
import { UnansweredCommands } from '../session/commands/unanswered.ts'
import { KnownStations } from '../session/known-stations.ts'
import { Pause } from '../session/calls/pause.ts'
import type { DurableMemory, Fleet, Member, SessionEnd, StationSocket, World } from '../session/ports.ts'
import { Session } from '../session/session.ts'
import type { SessionSettings } from '../session/settings.ts'
import { Station, visitOf } from '../session/station.ts'
import { Transactions } from '../session/transactions/transactions.ts'
import type { StationHandshake, StationId } from '../translate/handshake.ts'
import { isForStation } from '../translate/messages.ts'
import { AttachSchedule } from './attach-schedule.ts'
import { openAbsentStation } from './outbox/absent-station.ts'
import { Backlog } from './outbox/backlog.ts'
import { Publications } from './broadcasts/publications.ts'
import { BootSchedule } from './boot-schedule.ts'
import { Claims, type Takeover } from './claims.ts'
import { Departures } from './departures.ts'
import { DeliverySchedule } from './outbox/delivery-schedule.ts'
import type { Disconnects } from './disconnects.ts'
import { paceOf } from './draining.ts'
import { Owing } from './owing.ts'
import { Relation } from './relation.ts'
import { SerialNumbers } from './serial-numbers.ts'

export type HubSettings = SessionSettings & {
  readonly profileDowngrade: readonly string[]
  readonly takeover: Takeover
  /** How long a station may say nothing and answer no ping after its upgrade. */
  readonly bootTimeoutMs: number
}

/** How long after its upgrade a station that says nothing is pinged: in time for its unprompted attach. */
const probeAfterMs = 3_000
/** How many streams one station may have. */
const maxStreams = 1_000
const streamsText = 'the app subscribes a station to too many streams: further ones are ignored'

export class Hub implements Fleet {
  readonly transactions: Transactions
  readonly debts: Owing
  readonly unansweredCommands: UnansweredCommands
  readonly backlog: Backlog | null
  readonly known: KnownStations
  readonly departures: Departures
  readonly claims: Claims
  readonly #settings: HubSettings
  readonly #disconnects: Disconnects
  readonly #world: World
  /** Every session with an open socket. */
  readonly #sessions = new Set<Member>()
  /** Of these, the ones that `sweep` looks after. */
  readonly #unsettled = new Set<Member>()
  /** Accepted sessions whose Disconnect is still due. */
  readonly #connected = new Set<Member>()
  readonly #streams = new Relation<StreamName, Member>()
  readonly #identified = new Relation<string, Member>()
  readonly #serialNumbers: SerialNumbers
  readonly #bootSchedule = new BootSchedule()
  readonly #attachSchedule: AttachSchedule
  readonly #deliveries: DeliverySchedule | null
  readonly #drainPause = new Pause()
  readonly #publications: Publications
  #isAborted = false

  /**
   * @param durable what outlives the process; `null` if nothing does
   * @param absentMs how long stored messages wait for a station that is not connected
   */
  constructor(
    settings: HubSettings,
    disconnects: Disconnects,
    world: World,
    durable: DurableMemory | null = null,
    absentMs?: number,
  ) {
    this.#settings = settings
    this.#disconnects = disconnects
    this.#world = world
    this.#publications = new Publications(this.deliver.bind(this), world.now)
    this.claims = new Claims(settings.takeover, world)
    this.#serialNumbers = new SerialNumbers(world, durable)
    this.known = new KnownStations(world, settings.profileDowngrade, durable)
    durable?.onOpened(() => this.claims.closeLower(handshake => this.known.proofs.downgradeProblem(handshake)))
    this.#attachSchedule = new AttachSchedule(world)
    this.transactions = new Transactions(world.now, durable)
    this.debts = new Owing(world)
    this.unansweredCommands = new UnansweredCommands(world.now)
    this.backlog = durable?.durableOutbox ? new Backlog(durable.durableOutbox, world) : null
    const sessionOf = this.claims.current.bind(this.claims)
    this.departures = new Departures(world, durable, sessionOf)
    const openAbsent = openAbsentStation.bind(null, settings, this, world)
    this.#deliveries = this.backlog && new DeliverySchedule(world, this.backlog, sessionOf, openAbsent, absentMs)
  }

  get size(): number {
    return this.#sessions.size
  }

  get members(): Iterable<Member> {
    return this.#sessions
  }

  get streamCount(): number {
    return this.#streams.size
  }

  streamsOf(member: Member): readonly StreamName[] {
    return this.#streams.keysOf(member)
  }

  /** Starts the session of a station whose socket is open. */
  admit(handshake: StationHandshake, socket: StationSocket, connected: Connected | null = null): Session {
    const session = new Session(new Station(handshake, socket, this.#settings, this.#world, connected), this)
    this.#sessions.add(session)
    this.#unsettled.add(session)
    const { version } = handshake
    this.#world.meter.count('ocpp_connection_total', { version: versions[version].number })
    this.#world.visitLog.info({ ...visitOf(session), version }, 'station connected')
    this.#world.events?.({ type: 'connected', who: session.who, version })
    this.claims.open(session)
    session.attaching.onOpen()
    return session
  }

  /** Takes one publication of the app, as NATS or HTTP carries it. Never throws. */
  readonly publish = (text: string): void => this.#publications.publish(text)

  /** Hands a broadcast to every session that it is for. */
  deliver(broadcast: Broadcast): void {
    const { meter } = this.#world
    meter.totals.broadcast_msg_total.value++
    switch (broadcast.kind) {
      case 'stream': {
        const { stream, data, excludeSid } = broadcast
        let delivered = 0
        for (const session of this.#streams.get(stream)) {
          if (excludeSid !== null && session.who.sid === excludeSid) continue
          session.deliver(data)
          delivered++
        }
        if (delivered === 0) this.#onUndelivered(stream, data)
        return
      }
      case 'disconnect':
        meter.count('remote_commands_total')
        for (const session of this.#identified.get(broadcast.connectionIdentifiers))
          session.close(1000, 'Closed remotely')
        return
      case 'unreadable':
        meter.count('failed_broadcast_msg_total')
        this.#world.once(broadcast.problem, { problem: broadcast.problem }, 'dropped an unreadable broadcast')
    }
  }

  /** Looks after the stations that say nothing: attaches those that answer pings, and closes those that do not. */
  sweep(): void {
    this.debts.warnOfGone()
    this.backlog?.measure()
    this.#deliveries?.sweep()
    if (this.#unsettled.size === 0) return
    const now = this.#world.now()
    const { bootTimeoutMs } = this.#settings
    const alive: Member[] = []
    for (const session of this.#unsettled) {
      const ageMs = now - session.openedAt
      if (session.isHeard) {
        if (session.attaching.isSettled) this.#unsettled.delete(session)
        // A silent connection proves nothing: only its own CALL may replace one that the app has accepted.
        else if (!this.claims.isOfAnother(session)) alive.push(session)
      } else if (ageMs > bootTimeoutMs) session.close(1008, 'No message in time')
      else if (ageMs >= Math.min(probeAfterMs, bootTimeoutMs / 2)) session.probe()
    }
    this.#attachSchedule.sweep(alive)
  }

  /**
   * Answers what has come in, closes every session, and sends every Disconnect, those of sessions that left before too.
   *
   * @param graceMs  how long the app is asked for what a station has sent; then the station is answered without the app
   * @param spreadMs the time over which the closes are spread; a station is served as before until its own
   */
  async drain(graceMs: number, spreadMs = 0): Promise<void> {
    this.#disconnects.flush()
    this.#attachSchedule.stop()
    this.#deliveries?.stop()
    this.claims.endWaits()
    const sessions = [...this.#sessions]
    const { atOnce, pauseMs } = paceOf(sessions.length, spreadMs)
    const drained: Promise<void>[] = []
    while (sessions.length > 0) {
      drained.push(...sessions.splice(0, atOnce).map(session => session.drain(graceMs)))
      if (sessions.length > 0 && !this.#isAborted) await this.#drainPause.wait(pauseMs)
    }
    await Promise.all(drained)
    await Promise.all([...this.claims.leaving].map(session => session.ended))
    await this.backlog?.idle()
    this.#disconnects.logLoss([])
  }

  /**
   * Ends a drain that runs out of time: every RPC fails. CALLs are answered without the app; outcomes, reports and
   * Disconnects are lost.
   */
  abort(): void {
    this.#disconnects.logLoss(Array.from(this.#connected, ({ who }) => who.station))
    this.#isAborted = true
    this.#drainPause.end()
    this.#disconnects.abort()
    this.#world.rpc.abort()
    this.claims.endWaits()
    // Sessions still open by then wait for an Ack that the app broadcasts.
    setImmediate(() => {
      for (const session of [...this.#sessions]) session.close(1001, 'Server restart')
    })
  }

  join(stream: StreamName, member: Member): void {
    // A reply may come after the session has left.
    if (member.isClosed) return
    if (this.#streams.countOf(member) < maxStreams) return this.#streams.add(stream, member)
    this.#world.meter.count('ocpp_dropped_total', { reason: 'streams' })
    this.#world.once('streams', member.who, streamsText)
  }

  leave(stream: StreamName, member: Member): void {
    this.#streams.delete(stream, member)
  }

  leaveAll(member: Member): void {
    this.#streams.deleteAll(member)
  }

  async claim(session: Member, connectionIdentifiers: string): Promise<void> {
    this.#connected.add(session)
    // The station may have proved more since the upgrade of this connection.
    const downgrade = this.known.proofs.downgradeProblem(session.handshake)
    if (downgrade === null) this.known.onAccepted(session.handshake)
    else session.close(1008, downgrade)
    await this.claims.delay(session)
    if (session.isClosed) return
    this.#identified.add(connectionIdentifiers, session)
    await this.claims.claim(session)
  }

  serialNumberOf(stationId: StationId): string | null {
    return this.#serialNumbers.of(stationId)
  }

  onSubscribed(member: Member, sn: string, isKnown: boolean): void {
    this.#bootSchedule.onAccepted(this.#world.now())
    this.#attachSchedule.onAccepted()
    this.debts.onAccepted()
    this.#serialNumbers.onSubscribed(member, sn)
    this.departures.onReady(member, sn)
    this.#world.events?.({ type: 'ready', who: member.who, version: member.handshake.version })
    if (!isKnown) return
    this.#serialNumbers.remember(member.handshake.stationId, sn)
    if (member.isHeard) this.#unsettled.delete(member)
  }

  bootInterval(member: Member): number {
    const { station, remoteAddress } = visitOf(member)
    const isKnown = this.known.isKnown(station) || this.serialNumberOf(station) !== null
    const returning = { key: isKnown ? station : `${remoteAddress} ${station}`, isKnown }
    return this.#bootSchedule.take(returning, this.#world.now(), this.#world.random())
  }

  remove(session: Member, end: SessionEnd): void {
    this.#world.visitLog.info({ ...visitOf(session), ...end }, 'station disconnected')
    this.#world.events?.({ type: 'disconnected', who: session.who, version: session.handshake.version, ...end })
    this.departures.onLeft(session, end, this.#connected.has(session))
    this.#sessions.delete(session)
    this.#unsettled.delete(session)
    this.#streams.deleteAll(session)
    this.#identified.deleteAll(session)
    this.#serialNumbers.remove(session)
    this.claims.close(session)
    void session.ended.then(() => this.#connected.delete(session))
  }

  queueDisconnect(stationId: StationId, disconnect: () => Promise<void>): ReturnType<Fleet['queueDisconnect']> {
    return this.#disconnects.add(stationId, disconnect)
  }

  /** With several bridges, every one but the station's own comes here for each command. */
  #onUndelivered(stream: StreamName, data: string): void {
    const { meter, log } = this.#world
    const isOcpp = isForStation(data)
    meter.count('ocpp_dropped_total', { reason: isOcpp ? 'no_station' : 'not_ocpp' })
    const what = isOcpp ? 'an OCPP message' : 'a broadcast that is not OCPP'
    log.debug({ stream }, `dropped ${what}: no station of this bridge listens to the stream`)
  }
}
