/**
 * The serial numbers of stations: each station's last one, for when it reconnects without a boot, and the `sn` under
 * which each connected station is subscribed now.
 */
import { remember } from '../ops/recent.ts'
import type { DurableMemory, Member, World } from '../session/ports.ts'
import type { StationId } from '../translate/handshake.ts'
import { Relation } from './relation.ts'

/** For how many stations the serial number is remembered. */
const maxStations = 100_000

export class SerialNumbers {
  readonly #world: Pick<World, 'meter' | 'once'>
  readonly #durable: DurableMemory | null
  #remembered = new Map<StationId, string>()
  /** Connected stations by `sn`. */
  readonly #subscribed = new Relation<string, Member>()

  /** @param durable what outlives the process; `null` if nothing does */
  constructor(world: Pick<World, 'meter' | 'once'>, durable: DurableMemory | null = null) {
    this.#world = world
    this.#durable = durable
    durable?.onOpened(() => {
      // These have what this process has told since, except of stations that had proved more before.
      const all = new Map(durable.serialNumbers)
      for (const [stationId, serialNumber] of this.#remembered)
        if (!all.has(stationId)) all.set(stationId, serialNumber)
      this.#remembered = new Map([...all].slice(-maxStations))
    })
  }

  /** The serial number that the station was last known by; `null` if none is remembered. */
  of(stationId: StationId): string | null {
    return this.#remembered.get(stationId) ?? null
  }

  remember(stationId: StationId, serialNumber: string): void {
    const before = this.of(stationId)
    const { meter } = this.#world
    remember(this.#remembered, stationId, serialNumber, { limit: maxStations, kind: 'serial_numbers', meter })
    if (serialNumber !== before) this.#durable?.keepSerialNumber(stationId, serialNumber)
  }

  /**
   * Notes the `sn` of a station's subscription, which replaces the one before. Warns if another station has it, too.
   */
  onSubscribed(member: Member, sn: string): void {
    this.#subscribed.deleteAll(member)
    // A reply may come after the session has left.
    if (member.isClosed) return
    const { station } = member.who
    const other = this.#subscribed.get(sn).find(({ who }) => who.station !== station)
    this.#subscribed.add(sn, member)
    if (other === undefined) return
    this.#world.meter.count('ocpp_shared_sn_total')
    this.#world.once('shared sn', { sn, stations: [other.who.station, station] }, sharedText, sn)
  }

  /** The station has left. */
  remove(member: Member): void {
    this.#subscribed.deleteAll(member)
  }
}

const sharedText =
  'two connected stations have the same sn, a command to it reaches both: give each its own serial number, or set --ocpp_sn=station_id'
