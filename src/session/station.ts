/**
 * A Charging Station as all parts of its session see it: who it is, what it speaks, and the socket to it.
 */
import type { Connected } from '../cable/rpc.ts'
import { serializeFrame, type Frame } from '../ocpp/frame.ts'
import { versions, type VersionRow } from '../ocpp/version.ts'
import type { DropReason } from '../ops/metrics.ts'
import type { Visit } from '../ops/visit-log.ts'
import { addressOf, type StationHandshake } from '../translate/handshake.ts'
import { Closed } from './app/closed.ts'
import type { CloseCode, StationSocket, Who, World } from './ports.ts'
import { ConnectionRecord } from './view/record.ts'

/** What a line about a connection says of its station. */
export function visitOf({ who, handshake }: Pick<Station, 'who' | 'handshake'>): Who & Visit {
  return { ...who, remoteAddress: addressOf(handshake) }
}

/** One connection of a station; each part of the session names the settings that it reads. */
export class Station<Settings = unknown> {
  readonly handshake: StationHandshake
  /** Of the version agreed on. */
  readonly row: VersionRow
  readonly who: Who
  readonly settings: Settings
  readonly world: World
  readonly socket: StationSocket
  /** What the app has said before the upgrade; `null` if it was not asked. */
  readonly connected: Connected | null
  /** Aborted when the session ends: nothing more is sent to the station, and the app is asked nothing more for it. */
  readonly closed = new Closed()
  readonly record = new ConnectionRecord()
  /** How the app wants the session closed once the current entry is served; `null` if it does not. */
  closing: { readonly code: CloseCode; readonly reason: string } | null = null
  /**
   * Told of a bug that a timer met: it ends the session, not the process. Its session sets it; a promise takes 310
   * bytes.
   */
  owner: { onFault(error: unknown): void } | null = null

  constructor(
    handshake: StationHandshake,
    socket: StationSocket,
    settings: Settings,
    world: World,
    connected: Connected | null = null,
  ) {
    this.handshake = handshake
    this.row = versions[handshake.version]
    this.who = { sid: connected?.sid ?? world.newId(), station: handshake.stationId }
    this.connected = connected
    this.settings = settings
    this.world = world
    this.socket = socket
  }

  /** Marks the session as ended. */
  end(): void {
    this.closed.abort()
  }

  /** Runs a function later; what it throws is a fault of the session. */
  after(ms: number, run: () => void): NodeJS.Timeout {
    return setTimeout(() => {
      try {
        run()
      } catch (error) {
        this.owner?.onFault(error)
      }
    }, ms)
  }

  send(frame: Frame): void {
    if (this.closed.aborted) return
    const text = serializeFrame(frame, this.handshake.version)
    this.world.meter.totals.server_msg_total.value++
    this.world.trace?.(this.who, 'sent', text)
    this.socket.send(text)
  }

  /** Counts a dropped message, and warns of it at most once in ten minutes. */
  drop(reason: DropReason, message: string): void {
    this.world.meter.count('ocpp_dropped_total', { reason })
    this.world.once(message, this.who, message)
  }
}
