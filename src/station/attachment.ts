/**
 * Brings a station to the app: Connect, then subscribe with its serial number, and again when a boot changes that.
 *
 * Source: AnyCable Pro's OCPP page ("How it works"); the app sees Connect, subscribe, perform in that order.
 */
import type { CommandReply, Identifier } from '../cable/rpc.ts'
import { parseObject, type JsonText } from '../ocpp/json.ts'
import type { VersionRow } from '../ocpp/version.ts'
import type { StationId } from '../translate/handshake.ts'
import { identifierFor, type AppConnection } from './connection.ts'
import type { Registry } from './ports.ts'

export type AttachmentSettings = {
  /** The channel's class name. */
  readonly channel: string
  /** What `params["sn"]` is: the serial number of the boot, or the station's id always. */
  readonly sn: 'serial' | 'station_id'
}

export class Attachment {
  readonly #stationId: StationId
  readonly #row: VersionRow
  readonly #settings: AttachmentSettings
  readonly #connection: AppConnection
  readonly #registry: Registry

  constructor(
    stationId: StationId,
    row: VersionRow,
    settings: AttachmentSettings,
    connection: AppConnection,
    registry: Registry,
  ) {
    this.#stationId = stationId
    this.#row = row
    this.#settings = settings
    this.#connection = connection
    this.#registry = registry
  }

  /**
   * Attaches the station if it is not yet, and moves it if its boot says another serial number.
   *
   * @param boot the payload of a BootNotification, `null` for any other CALL
   * @param onReply gets the reply of a subscribe, and to which identifier, before this resolves
   * @returns whether the app accepts the station; rejects with `RpcError` where the app did not say
   */
  async attach(
    boot: JsonText | null,
    signal: AbortSignal,
    onReply: (reply: CommandReply, identifier: Identifier) => void,
  ): Promise<boolean> {
    const connection = this.#connection
    if (connection.connectionIdentifiers === null) {
      const connectionIdentifiers = await connection.connect(signal)
      if (connectionIdentifiers === null) return false
      await this.#registry.claim(connectionIdentifiers)
    }
    if (boot === null && connection.identifier !== null) return true
    const serialNumber = this.#serialNumber(boot)
    const identifier = identifierFor(this.#settings.channel, serialNumber)
    if (connection.identifier === identifier) return true
    await connection.unsubscribe(signal)
    const reply = await connection.subscribe(identifier, signal)
    onReply(reply, identifier)
    if (reply.status === 'failure') return false
    this.#registry.remember(serialNumber)
    return true
  }

  #serialNumber(boot: JsonText | null): string {
    if (this.#settings.sn === 'station_id') return this.#stationId
    const known = boot === null ? this.#registry.serialNumber() : this.#row.serialNumber(parseObject(boot))
    return known ?? this.#stationId
  }
}
