/**
 * The outbox, as the stations of this process use it: who may store, which stations have messages that the app does not
 * have yet, and what is counted and logged of them.
 */
import { setRecent } from '../../ops/recent.ts'
import type * as ports from '../../session/ports.ts'
import type { AppSession, MessageName, OutboxMessage, OutboxSize, StoredMessage, World } from '../../session/ports.ts'
import { versionHeader, type StationHandshake, type StationId } from '../../translate/handshake.ts'

type OfStation = {
  /** Whether a message is known to be on the disk; otherwise one is on its way there. */
  isStored: boolean
  appends: number
  /** When the next message is due, in ms since the epoch. */
  dueAt: number
  /** Since when the station was found to be not connected, in ms since the epoch; `null` if it was not. */
  absentSince: number | null
}

/** A disk that takes longer counts as failed: a station waits for the answer meanwhile. */
const patienceMs = 5_000
/** Messages that the app has answered while they were being stored, and that are not removed yet. */
const maxTaken = 10_000
/** The other headers, and the query of the URL, may be credentials. */
const keptHeaders: readonly string[] = ['REMOTE_ADDR', versionHeader]
const none: OutboxSize = { pending: 0, dead: 0, bytes: 0, oldestAt: null }

export class Backlog implements ports.Backlog {
  readonly #durable: ports.DurableOutbox
  readonly #world: Pick<World, 'meter' | 'log' | 'once' | 'date'>
  readonly #openedAt: number
  readonly #stations = new Map<StationId, OfStation>()
  readonly #taken = new Map<string, true>()
  /** Deliveries without a connection that are under way, with the one that may read the station's messages. */
  readonly #alone = new Map<StationId, { readonly reader: object; readonly done: Promise<unknown> }>()
  #size = none
  #isMeasuring = false

  constructor(durable: ports.DurableOutbox, world: Pick<World, 'meter' | 'log' | 'once' | 'date'>) {
    this.#durable = durable
    this.#world = world
    this.#openedAt = this.#now()
    for (const stationId of durable.stations) this.#stations.set(stationId, newOfStation(true))
    if (durable.stations.length > 0) world.log.info({ stations: durable.stations.length }, leftText)
  }

  /** How many messages wait for the app, as last measured. */
  get messages(): number {
    return this.#size.pending
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
  sessionOf(stationId: StationId): Promise<AppSession | null> {
    return this.#kept(this.#durable.outbox.sessionOf(stationId))
  }

  onRejected(handshake: StationHandshake): void {
    this.#durable.accepted.onRejected(handshake.stationId, credentialsOf(handshake))
  }

  async append(message: OutboxMessage): Promise<boolean> {
    const { stationId, action, key } = message
    const ofStation = this.#stations.get(stationId) ?? newOfStation(false)
    this.#stations.set(stationId, ofStation)
    ofStation.appends++
    const outcome = await this.#kept(this.#durable.outbox.append(message))
    ofStation.appends--
    const isOnDisk = outcome === 'stored' || outcome === 'present'
    if (isOnDisk) {
      ofStation.isStored = true
      ofStation.dueAt = 0
    } else if (!ofStation.isStored && ofStation.appends === 0) this.#stations.delete(stationId)
    const { meter, once } = this.#world
    if (outcome === 'stored') {
      meter.count('ocpp_outbox_total', { outcome })
      once('outbox stored', { station: stationId, action, key }, storedText)
    } else if (!isOnDisk) meter.count('ocpp_outbox_total', { outcome: 'refused' })
    if (outcome === 'refused') once('outbox full', { station: stationId, action, key }, fullText)
    return isOnDisk
  }

  onTaken(message: MessageName): void {
    setRecent(this.#taken, nameOf(message), true, maxTaken)
  }

  isTaken(message: MessageName): boolean {
    return this.#taken.has(nameOf(message))
  }

  /** @param reader reads the station's messages until `done`; all others wait */
  async readAlone(stationId: StationId, reader: object, done: Promise<unknown>): Promise<void> {
    const alone = { reader, done }
    this.#alone.set(stationId, alone)
    await done
    if (this.#alone.get(stationId) === alone) this.#alone.delete(stationId)
  }

  /** Resolves when no delivery without a connection is under way. */
  async idle(): Promise<void> {
    await Promise.all(Array.from(this.#alone.values(), ({ done }) => done))
  }

  async pendingOf(stationId: StationId, afterSeq: number, reader: object): Promise<readonly StoredMessage[] | null> {
    const alone = this.#alone.get(stationId)
    if (alone !== undefined && alone.reader !== reader) await alone.done
    return await this.#kept(this.#durable.outbox.pendingOf(stationId, afterSeq))
  }

  async delivered(message: StoredMessage): Promise<boolean> {
    // Where the disk fails, the message is read again, and removed without the app.
    this.onTaken(message)
    if ((await this.#kept(this.#durable.outbox.delivered(message.seq).then(done))) === null) return false
    this.#taken.delete(nameOf(message))
    this.#world.meter.count('ocpp_outbox_total', { outcome: 'delivered' })
    return true
  }

  async failed({ seq }: StoredMessage, attempts: number, nextAttemptAt: number, error: string): Promise<void> {
    await this.#kept(this.#durable.outbox.failed(seq, attempts, nextAttemptAt, error).then(done))
  }

  async deadLetter(message: StoredMessage, reason: string): Promise<void> {
    const { seq, stationId: station, action, key, payload } = message
    if ((await this.#kept(this.#durable.outbox.deadLetter(seq, reason).then(done))) === null) return
    this.#world.meter.count('ocpp_outbox_total', { outcome: 'dead' })
    this.#world.log.error({ station, action, key, reason, wholeMessage: payload }, deadText)
  }

  isOlderThanProcess({ storedAt }: OutboxMessage): boolean {
    return storedAt < this.#openedAt
  }

  onRound(stationId: StationId, dueAt: number): void {
    const ofStation = this.#stations.get(stationId)
    if (ofStation === undefined) return
    ofStation.dueAt = dueAt
    if (dueAt < Infinity) return
    ofStation.isStored = false
    if (ofStation.appends === 0) this.#stations.delete(stationId)
  }

  /** @returns `null` where the disk fails */
  async #kept<Result>(operation: Promise<Result>): Promise<Result | null> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the disk did not reply in ${patienceMs} ms`)), patienceMs)
    })
    try {
      return await Promise.race([operation, late])
    } catch (error) {
      this.#durable.onFailure(error)
      return null
    } finally {
      clearTimeout(timer)
    }
  }

  #now(): number {
    return this.#world.date().getTime()
  }
}

const done = (): true => true

function newOfStation(isStored: boolean): OfStation {
  return { isStored, appends: 0, dueAt: 0, absentSince: null }
}

function withoutCredentials(session: AppSession): AppSession {
  const { url, headers } = session.env
  const kept = Object.entries(headers).filter(([name]) => keptHeaders.includes(name))
  return { ...session, env: { ...session.env, url: url.replace(/\?.*/s, ''), headers: Object.fromEntries(kept) } }
}

/** What the app can judge a station by, besides its id. */
function credentialsOf({ env: { url, headers } }: StationHandshake): string {
  const { authorization = '', cookie = '' } = headers
  const [, query = ''] = /\?(.*)/s.exec(url) ?? []
  return cookie === '' && query === '' ? authorization : JSON.stringify([authorization, cookie, query])
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
  'the app has raised on a stored transaction message for longer than ocpp_outbox_ttl: mend the action, then `ocpp-cable outbox retry`, or book the message by hand'
