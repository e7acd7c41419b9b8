/**
 * Attaches a station to the app: Connect, then subscribe with its serial number, and again when a boot changes that.
 *
 * Source: AnyCable Pro's OCPP page ("How it works"); the app sees Connect, subscribe, perform in that order.
 */
import type { CommandReply, Identifier } from '../../cable/rpc.ts'
import { parseObject, type JsonText } from '../../ocpp/json.ts'
import type { Fleet, Member } from '../ports.ts'
import type { Station } from '../station.ts'
import { identifierFor, type AppConnection } from './connection.ts'

export type AttachmentSettings = {
  /** The channel's class name. */
  readonly channel: string
  /** What `params["sn"]` is: the serial number from the boot, or always the station's id. */
  readonly sn: 'serial' | 'station_id'
}

/** How attaching a station ended. */
export type Attached = {
  /** Whether the app accepts the station. */
  readonly isAccepted: boolean
  /** The subscribe that was made; `null` if none was. */
  readonly subscribed: { readonly reply: CommandReply; readonly identifier: Identifier } | null
  /** Whether the station is attached by its id because its serial number is not known. */
  readonly isById: boolean
}

export class Attachment {
  readonly #station: Pick<Station<AttachmentSettings>, 'handshake' | 'row' | 'settings' | 'socket'>
  readonly #app: AppConnection
  readonly #fleet: Fleet
  readonly #member: Member
  #claimed: Promise<void> | null = null

  constructor(
    station: Pick<Station<AttachmentSettings>, 'handshake' | 'row' | 'settings' | 'socket'>,
    app: AppConnection,
    fleet: Fleet,
    member: Member,
  ) {
    this.#station = station
    this.#app = app
    this.#fleet = fleet
    this.#member = member
  }

  /**
   * Attaches the station if it is not yet, and resubscribes if its boot has another serial number. Rejects with
   * `RpcError` if the app gave no answer.
   *
   * @param boot the payload of a BootNotification, `null` for any other message
   * @param queueDeadline as in `Rpc`
   */
  attach(boot: JsonText | null, queueDeadline?: () => number): Promise<Attached> {
    const { handshake, row } = this.#station
    const told = boot === null ? null : (row.serialNumber(parseObject(boot)) ?? handshake.stationId)
    return this.attachAs(told, queueDeadline)
  }

  /** As `Fleet.claim`, once for each connection that the app has accepted. */
  claim(connectionIdentifiers: string): Promise<void> {
    if (this.#claimed !== null) return this.#claimed
    this.#station.socket.accept()
    this.#claimed = this.#fleet.claim(this.#member, connectionIdentifiers)
    return this.#claimed
  }

  /** As `attach`, with the serial number that the station itself has told; `null` if it has told none. */
  async attachAs(told: string | null, queueDeadline?: () => number): Promise<Attached> {
    const { handshake, settings } = this.#station
    const { stationId } = handshake
    const app = this.#app
    const connectionIdentifiers = app.connectionIdentifiers ?? (await app.connect(queueDeadline))
    if (connectionIdentifiers === null) return { isAccepted: false, subscribed: null, isById: false }
    await this.claim(connectionIdentifiers)
    const known = settings.sn === 'station_id' ? stationId : (told ?? this.#fleet.serialNumberOf(stationId))
    const sn = known ?? stationId
    const isById = known === null
    const identifier = identifierFor(settings.channel, sn)
    if (app.identifier === identifier) return { isAccepted: true, subscribed: null, isById }
    await app.unsubscribe()
    const reply = await app.subscribe(identifier, queueDeadline)
    const isAccepted = reply.status === 'success'
    if (isAccepted) this.#fleet.onSubscribed(this.#member, sn, !isById)
    return { isAccepted, subscribed: { reply, identifier }, isById }
  }
}
