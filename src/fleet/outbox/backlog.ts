/**
 * The outbox, as the stations of this process use it: who may store, which stations have messages that the app does not
 * have yet, and what is counted and logged of them.
 */
import { setRecent } from '../../ops/recent.ts'
import type * as ports from '../../session/ports.ts'
import type { AppSession, MessageName, OutboxMessage, OutboxSize, StoredMessage, World } from '../../session/ports.ts'
import { credentialsOf } from '../../session/transactions/credentials.ts'
import { versionHeader, type StationHandshake, type StationId } from '../../translate/handshake.ts'
import { withoutQuery } from '../../translate/url.ts'
import { Disk } from './disk.ts'
import { Lanes } from './lanes.ts'

type OfStation = {
  /** Whether a message is known to be on the disk; otherwise one is on its way there. */
  isStored: boolean
  /** Whether a message was stored since the round under way has begun, which may not have read it. */
  hasNew: boolean
  appends: number
  /** When the next message is due, in ms since the epoch. */
  dueAt: number
  /** Since when the station was found to be not connected, in ms since the epoch; `null` if it was not. */
  absentSince: number | null
}

/** Messages that the app answered while they were being stored, and that are not removed yet; also, late messages. */
const maxNames = 10_000
/** The other headers, and the query of the URL, may be credentials. */
const keptHeaders: readonly string[] = ['REMOTE_ADDR', versionHeader]

export class Backlog implements ports.Backlog {
  readonly #durable: ports.DurableOutbox
  readonly #world: Pick<World, 'meter' | 'log' | 'once' | 'date' | 'now'>
  /** Messages from before are of an earlier process. */
  #openedAt = Infinity
  readonly #stations = new Map<StationId, OfStation>()
  readonly #taken = new Map<string, true>()
  readonly #lanes = new Lanes()
  readonly #disk: Disk
  /** Messages that were stored after their append had counted as failed. */
  readonly #late = new Map<string, true>()
  #size: OutboxSize = { pending: 0, dead: 0, bytes: 0, oldestAt: null }
  #isMeasuring = false

  constructor(durable: ports.DurableOutbox, world: Pick<World, 'meter' | 'log' | 'once' | 'date' | 'now'>) {
    this.#durable = durable
    this.#world = world
    this.#disk = new Disk(durable.onFailure, world)
    durable.onOpened(() => this.#onOpened())
  }

  /** How many messages wait for the app, as last measured. */
  get messages(): number {
    return this.#size.pending
  }

  /** How many bytes of messages are stored, as last measured. */
  get bytes(): number {
    return this.#size.bytes
  }

  /** The age of the oldest of them. */
  get oldestSeconds(): number {
    const { oldestAt } = this.#size
    return oldestAt === null ? 0 : Math.max(0, this.#now() - oldestAt) / 1000
  }

  /** The stations that have a message which is due. */
  *due(): Generator<StationId> {
    const now = this.#now()
    for (const [stationId, { dueAt }] of this.#stations) if (dueAt <= now) yield stationId
  }

  /** The messages of these stations are due now: an operator has asked for it. */
  wake(stationIds: readonly StationId[]): void {
    for (const stationId of stationIds) this.#onStored(stationId)
  }

  /** Nothing of the station is due for so long. */
  postpone(stationId: StationId, ms: number): void {
    const ofStation = this.#stations.get(stationId)
    if (ofStation !== undefined) ofStation.dueAt = this.#now() + ms
  }

  /** For how long the station has not been connected, as far as this method was called since. */
  absentMs(stationId: StationId): number {
    const ofStation = this.#stations.get(stationId)
    if (ofStation === undefined) return 0
    ofStation.absentSince ??= this.#now()
    return this.#now() - ofStation.absentSince
  }

  /** The station is connected, and the app has not refused it. */
  onPresent(stationId: StationId): void {
    const ofStation = this.#stations.get(stationId)
    if (ofStation !== undefined) ofStation.absentSince = null
  }

  /** Reads how much is stored, for the metrics. */
  measure(): void {
    if (this.#isMeasuring) return
    this.#isMeasuring = true
    void this.#durable.outbox.size().then(
      size => {
        this.#disk.onSuccess()
        this.#size = size
        this.#isMeasuring = false
      },
      () => (this.#isMeasuring = false),
    )
  }

  has(stationId: StationId): boolean {
    return this.#stations.has(stationId)
  }

  knows(handshake: StationHandshake): boolean {
    return this.#durable.accepted.wasAccepted(handshake.stationId, credentialsOf(handshake))
  }

  onAccepted(handshake: StationHandshake, session: AppSession | null): void {
    const { accepted, outbox, onFailure } = this.#durable
    const { stationId } = handshake
    accepted.onAccepted(stationId, credentialsOf(handshake))
    if (session !== null) outbox.keepSession(stationId, withoutCredentials(session)).catch(onFailure)
  }

  /** What the app restores a station from that is not connected; `null` where that is not known, or the disk fails. */
  async sessionOf(stationId: StationId): Promise<AppSession | null> {
    if (this.#disk.isHanging) return null
    return this.#disk.wait(this.#durable.outbox.sessionOf(stationId))
  }

  onRejected(handshake: StationHandshake): void {
    this.#durable.accepted.onRejected(handshake.stationId, credentialsOf(handshake))
  }

  async append(message: OutboxMessage, withinMs?: number): Promise<boolean> {
    const { stationId, action, key } = message
    if (this.#disk.isFailing) {
      this.#world.meter.count('ocpp_outbox_total', { outcome: 'refused' })
      return false
    }
    const ofStation = this.#ofStation(stationId)
    ofStation.appends++
    const appending = this.#durable.outbox.append(message)
    const outcome = await this.#disk.wait(appending, withinMs)
    ofStation.appends--
    const isOnDisk = outcome === 'stored' || outcome === 'present'
    if (isOnDisk) this.#onStored(stationId)
    else if (!ofStation.isStored && ofStation.appends === 0) this.#stations.delete(stationId)
    if (outcome === null) this.#awaitLate(message, appending)
    const { meter, once } = this.#world
    if (outcome === 'stored') {
      meter.count('ocpp_outbox_total', { outcome })
      once('outbox stored', { station: stationId, action, key }, storedText)
    } else if (!isOnDisk) meter.count('ocpp_outbox_total', { outcome: 'refused' })
    if (outcome === 'refused') once('outbox full', { station: stationId, action, key }, fullText)
    return isOnDisk
  }

  onTaken(message: MessageName): void {
    setRecent(this.#taken, nameOf(message), true, maxNames)
  }

  isTaken(message: MessageName): boolean {
    return this.#taken.has(nameOf(message))
  }

  async pendingOf(stationId: StationId, afterSeq: number): Promise<readonly StoredMessage[] | null> {
    if (this.#disk.isHanging) return null
    const ofStation = this.#stations.get(stationId)
    if (afterSeq === 0 && ofStation !== undefined) ofStation.hasNew = false
    const messages = await this.#disk.wait(this.#durable.outbox.pendingOf(stationId, afterSeq))
    if (messages === null || this.#late.size === 0) return messages
    return messages.map(message =>
      this.#late.has(nameOf(message)) ? { ...message, attempts: Math.max(message.attempts, 1) } : message,
    )
  }

  /** Resolves when no delivery is under way. */
  idle(): Promise<void> {
    return this.#lanes.idle()
  }

  async delivered(message: StoredMessage): Promise<boolean> {
    // Where the disk fails, the message is read again, and removed without the app.
    this.onTaken(message)
    if ((await this.#disk.wait(this.#durable.outbox.delivered(message.seq).then(done))) === null) return false
    this.#taken.delete(nameOf(message))
    this.#late.delete(nameOf(message))
    this.#world.meter.count('ocpp_outbox_total', { outcome: 'delivered' })
    return true
  }

  async failed({ seq }: StoredMessage, attempts: number, nextAttemptAt: number, error: string): Promise<void> {
    await this.#disk.wait(this.#durable.outbox.failed(seq, attempts, nextAttemptAt, error).then(done))
  }

  async deadLetter(message: StoredMessage, reason: string): Promise<void> {
    const { seq, stationId: station, action, key, payload } = message
    if ((await this.#disk.wait(this.#durable.outbox.deadLetter(seq, reason).then(done))) === null) return
    this.#world.meter.count('ocpp_outbox_total', { outcome: 'dead' })
    this.#world.log.error({ station, action, key, reason, wholeMessage: payload }, deadText)
  }

  async inTurn<Result>(
    stationId: StationId,
    owner: object,
    deliver: (isFirst: boolean) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await this.#lanes.inTurn(stationId, owner, deliver)
    } finally {
      if (!this.has(stationId)) this.#lanes.delete(stationId)
    }
  }

  isOlderThanProcess({ storedAt }: OutboxMessage): boolean {
    return storedAt < this.#openedAt
  }

  onRound(stationId: StationId, dueAt: number): void {
    const ofStation = this.#stations.get(stationId)
    if (ofStation === undefined || ofStation.hasNew) return
    ofStation.dueAt = dueAt
    if (dueAt < Infinity) return
    ofStation.isStored = false
    if (ofStation.appends === 0) this.#stations.delete(stationId)
  }

  #onOpened(): void {
    const { stations } = this.#durable
    this.#openedAt = this.#now()
    // What was tried before the directory was open has failed.
    this.#disk.onSuccess()
    for (const stationId of stations) this.#onStored(stationId)
    if (stations.length > 0) this.#world.log.info({ stations: stations.length }, leftText)
  }

  #ofStation(stationId: StationId): OfStation {
    const ofStation = this.#stations.get(stationId) ?? {
      isStored: false,
      hasNew: false,
      appends: 0,
      dueAt: 0,
      absentSince: null,
    }
    this.#stations.set(stationId, ofStation)
    return ofStation
  }

  #onStored(stationId: StationId): void {
    const ofStation = this.#ofStation(stationId)
    ofStation.isStored = true
    ofStation.hasNew = true
    ofStation.dueAt = 0
  }

  /**
   * The disk may still keep a message whose append has counted as failed. The station was not answered and sends it
   * again: the app may have performed that one already, so the stored one carries `attempt`.
   */
  #awaitLate(message: OutboxMessage, appending: Promise<'stored' | 'present' | 'refused'>): void {
    const onOutcome = (outcome: 'stored' | 'present' | 'refused'): void => {
      if (outcome === 'refused') return
      this.#onStored(message.stationId)
      if (outcome === 'present') return
      setRecent(this.#late, nameOf(message), true, maxNames)
      this.#world.meter.count('ocpp_outbox_total', { outcome })
    }
    appending.then(onOutcome, () => undefined)
  }

  #now(): number {
    return this.#world.date().getTime()
  }
}

const done = (): true => true

function withoutCredentials(session: AppSession): AppSession {
  const { url, headers } = session.env
  const kept = Object.entries(headers).filter(([name]) => keptHeaders.includes(name))
  return { ...session, env: { ...session.env, url: withoutQuery(url), headers: Object.fromEntries(kept) } }
}

function nameOf({ stationId, key, content }: MessageName): string {
  return JSON.stringify([stationId, key, content])
}

const leftText =
  'the outbox has transaction messages from before: they are delivered when their stations connect, or when they have not for 10 minutes'
const storedText =
  'stored a transaction message that the app cannot take now, and confirmed it to the station: it is delivered when the app is back'
const fullText =
  'the outbox is full: the station keeps the message; raise ocpp_outbox_size, or look at why the app does not take messages'
const deadText =
  'the app has raised on a stored transaction message for longer than ocpp_outbox_ttl: fix the action, then `ocpp-cable outbox retry`, or book the message by hand'
