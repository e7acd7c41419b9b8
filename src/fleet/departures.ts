/**
 * Stations that are not connected: when they were last seen and why they left, or why their upgrade was refused. With
 * `state_dir`, also those of the last process.
 */
import type { Remembered } from '../ops/metrics.ts'
import { remember, setRecent, type ClockAndMeter } from '../ops/recent.ts'
import type { Departure, DurableMemory, LastSeen, Member, RefusedUpgrade, SessionEnd, World } from '../session/ports.ts'
import { addressOf, type StationId } from '../translate/handshake.ts'

/** Of each kind: whoever connects chooses the identity, so a flood of strangers does not evict departures. */
const maxStations = 10_000
/** Of each departure: all that a connection keeps is too much for so many stations. */
const maxErrors = 3
/** Ends of connections that are kept, to recognize a reconnect loop. */
const maxEnds = 10

export class Departures {
  readonly #world: ClockAndMeter & Pick<World, 'date'>
  readonly #durable: DurableMemory | null
  readonly #sessionOf: (stationId: StationId) => Member | null
  /** Of connections that the app had accepted, and of the last process. */
  #left = new Map<StationId, Departure>()
  /** Of all others, which may be anyone's: they say nothing of a station that the app knows. */
  readonly #strangers = new Map<StationId, Departure>()
  readonly #refused = new Map<StationId, RefusedUpgrade>()

  /**
   * @param durable what outlives the process; `null` if nothing does
   * @param sessionOf the connection of a station
   */
  constructor(
    world: ClockAndMeter & Pick<World, 'date'>,
    durable: DurableMemory | null,
    sessionOf: (stationId: StationId) => Member | null,
  ) {
    this.#world = world
    this.#durable = durable
    this.#sessionOf = sessionOf
    durable?.onOpened(() => this.#restore(durable.lastSeen))
  }

  /** How many stations have left and are not connected again. */
  get size(): number {
    let size = 0
    for (const stationId of this.#departed()) if (this.#sessionOf(stationId) === null) size++
    return size
  }

  *stationIds(): Generator<StationId> {
    yield* this.#departed()
    for (const stationId of this.#refused.keys())
      if (!this.#left.has(stationId) && !this.#strangers.has(stationId)) yield stationId
  }

  *#departed(): Generator<StationId> {
    yield* this.#left.keys()
    for (const stationId of this.#strangers.keys()) if (!this.#left.has(stationId)) yield stationId
  }

  /** One that the app had not accepted counts only while the station has no other connection, now or before. */
  leftOf(stationId: StationId): Departure | null {
    const left = this.#left.get(stationId)
    if (left !== undefined) return left
    return this.#sessionOf(stationId) === null ? (this.#strangers.get(stationId) ?? null) : null
  }

  refusedOf(stationId: StationId): RefusedUpgrade | null {
    return this.#refused.get(stationId) ?? null
  }

  /** The app has accepted the station: if the bridge is killed, the next process lists it as disconnected. */
  onReady({ handshake }: Member, sn: string): void {
    const { stationId, version } = handshake
    const address = addressOf(handshake)
    this.#keep(stationId, { at: this.#world.now(), version, address, sn }, null)
  }

  /** @param isAccepted whether the app had accepted the connection */
  onLeft(session: Member, { code, reason }: SessionEnd, isAccepted: boolean): void {
    const { handshake, view } = session
    const { stationId, version } = handshake
    const address = addressOf(handshake)
    const at = this.#world.now()
    const errors = view.errors.slice(-maxErrors)
    const departure = { at, code, reason, version, address, sn: view.sn, errors, ends: [] }
    if (isAccepted) this.#onAcceptedLeft(session, departure)
    else this.#remember(this.#strangers, stationId, departure, 'strangers')
  }

  #onAcceptedLeft(session: Member, last: Departure): void {
    const { stationId } = session.handshake
    const ends = [...(this.#left.get(stationId)?.ends ?? []), last.at].slice(-maxEnds)
    this.#remember(this.#left, stationId, { ...last, ends }, 'departures')
    // Another connection of the station may be open.
    if ((this.#sessionOf(stationId) ?? session) === session)
      this.#keep(stationId, last, { code: last.code, reason: last.reason })
  }

  onRefused(stationId: StationId, { status, reason, address }: Omit<RefusedUpgrade, 'at'>): void {
    const before = this.refusedOf(stationId)
    this.#remember(this.#refused, stationId, { at: this.#world.now(), status, reason, address }, 'refusals')
    const left = this.#left.get(stationId)
    if (left === undefined || this.#sessionOf(stationId) !== null) return
    // A station that is refused tries again and again.
    if (before?.status === status && before.reason === reason) return
    this.#keep(stationId, left, { code: left.code, reason: left.reason })
  }

  #remember<Kept>(map: Map<StationId, Kept>, stationId: StationId, kept: Kept, kind: Remembered): void {
    remember(map, stationId, kept, { limit: maxStations, kind, meter: this.#world.meter })
  }

  #keep(
    stationId: StationId,
    { at, version, address, sn }: Pick<Departure, 'at' | 'version' | 'address' | 'sn'>,
    end: SessionEnd | null,
  ): void {
    const refused = this.refusedOf(stationId)
    const refusal = refused && { ...refused, at: this.#sinceEpoch(refused.at) }
    this.#durable?.keepSeen({ stationId, at: this.#sinceEpoch(at), version, address, sn, refusal, end })
  }

  /** What this process has seen meanwhile is newer. */
  #restore(lastSeen: readonly LastSeen[]): void {
    const left = new Map<StationId, Departure>()
    for (const { stationId, at, version, address, sn, refusal, end } of lastSeen) {
      const last = { at: this.#sinceStart(at), version, address, sn, errors: [], ends: [] }
      if (end !== null) left.set(stationId, { ...end, ...last })
      if (refusal !== null && !this.#refused.has(stationId))
        this.#remember(this.#refused, stationId, { ...refusal, at: this.#sinceStart(refusal.at) }, 'refusals')
    }
    for (const [stationId, departure] of this.#left) setRecent(left, stationId, departure, Infinity)
    this.#left = new Map([...left].slice(-maxStations))
  }

  /** From ms of `World.now` to ms since the epoch. */
  #sinceEpoch(at: number): number {
    return Math.round(this.#world.date().getTime() - (this.#world.now() - at))
  }

  #sinceStart(at: number): number {
    return this.#world.now() - (this.#world.date().getTime() - at)
  }
}
