/**
 * Brings a station to the app: Connect, then subscribe with its serial number, and again when a boot changes that.
 *
 * Source: AnyCable Pro's OCPP page ("How it works"); the app sees Connect, subscribe, perform in that order.
 */
import type { CommandReply, Identifier } from '../cable/rpc.ts'
import { parseObject, type JsonText } from '../ocpp/json.ts'
import { identifierFor, type AppConnection } from './connection.ts'
import type { Registry } from './ports.ts'
import type { Station } from './station.ts'

export type AttachmentSettings = {
  /** The channel's class name. */
  readonly channel: string
  /** What `params["sn"]` is: the serial number of the boot, or the station's id always. */
  readonly sn: 'serial' | 'station_id'
}

/** What attaching takes of a station. */
type Attached = Pick<Station<AttachmentSettings>, 'handshake' | 'row' | 'settings'>

export class Attachment {
  readonly #station: Attached
  readonly #connection: AppConnection
  readonly #registry: Registry

  constructor(station: Attached, connection: AppConnection, registry: Registry) {
    this.#station = station
    this.#connection = connection
    this.#registry = registry
  }

  /**
   * Attaches the station if it is not yet, and moves it if its boot says another serial number.
   *
   * @param boot the payload of a BootNotification, `null` for any other CALL
   * @param onReply gets the reply of a subscribe, and to which identifier, before this resolves
   * @param queueDeadline how long a message that brings the station waits for its turn, and so for what comes before (`Rpc`)
   * @returns whether the app accepts the station; rejects with `RpcError` where the app did not say
   */
  async attach(
    boot: JsonText | null,
    signal: AbortSignal,
    onReply: (reply: CommandReply, identifier: Identifier) => void,
    queueDeadline?: () => number,
  ): Promise<boolean> {
    const connection = this.#connection
    if (connection.connectionIdentifiers === null) {
      const connectionIdentifiers = await connection.connect(signal, queueDeadline)
      if (connectionIdentifiers === null) return false
      await this.#registry.claim(connectionIdentifiers)
    }
    if (boot === null && connection.identifier !== null) return true
    const serialNumber = this.#serialNumber(boot)
    const identifier = identifierFor(this.#station.settings.channel, serialNumber)
    if (connection.identifier === identifier) return true
    await connection.unsubscribe(signal)
    const reply = await connection.subscribe(identifier, signal, queueDeadline)
    onReply(reply, identifier)
    if (reply.status === 'failure') return false
    this.#registry.onLetIn(serialNumber)
    return true
  }

  #serialNumber(boot: JsonText | null): string {
    const { handshake, row, settings } = this.#station
    if (settings.sn === 'station_id') return handshake.stationId
    const known = boot === null ? this.#registry.serialNumber() : row.serialNumber(parseObject(boot))
    return known ?? handshake.stationId
  }
}
