/**
 * The sockets of stations, as the rest of the server sees them.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Budgets } from '../../ops/limits/budgets.ts'
import type { Meter } from '../../ops/metrics.ts'
import type { StationSocket } from '../../session/ports.ts'
import type { CloseRule } from '../../translate/closing.ts'
import type { StationHandshake, StationId } from '../../translate/handshake.ts'
import type { Turns } from '../limits/turnstile.ts'
import type { Compression } from './compression.ts'
import type { IntakeSettings } from './intake.ts'
import type { LivenessSettings, Patience } from './liveness.ts'
import type { Outgoing, OutgoingSettings } from './outgoing.ts'
import type { ProgressSettings } from './progress.ts'

export type SocketSettings = LivenessSettings &
  IntakeSettings &
  ProgressSettings &
  OutgoingSettings & {
    /** Of a station that the app has not accepted, in bytes. */
    readonly unacceptedMessageSize: number
    /** Limit on what waits for the rest of its message, over all stations that the app has not accepted. */
    readonly unfinishedSize: number
    readonly compression: Compression
    /** What a text message that is not UTF-8 does: close with 1007, or arrive with U+FFFD (RFC 6455 §8.1). */
    readonly invalidUtf8: 'close' | 'replace'
    /** How the connection of a station that should come back is closed. */
    readonly close: readonly CloseRule[]
  }

/** What becomes of an upgrade; one of them is called, once. */
export type UpgradeEnd = {
  /** @returns the listener of the socket */
  readonly onOpen: (socket: StationSocket) => SocketEnd
  /** The request is not a valid WebSocket upgrade, and has no answer yet. */
  readonly onRefused: (problem: string) => void
}

/** The listener of a socket: its session. */
export interface SocketEnd {
  /** @param bytes the message's size */
  receive(text: string, bytes: number): void
  gone(code: number, reason: string): void
}

type Agreed = Pick<StationHandshake, 'stationId' | 'subprotocol' | 'version'>

export interface Sockets {
  /**
   * Finishes an upgrade.
   *
   * @param agreed the station's id, the subprotocol to echo (`null` if the station offered none) and its version
   */
  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer, agreed: Agreed, end: UpgradeEnd): void
  /** Stops the sweep and terminates every connection that is still open. */
  close(): void
}

/** The code and reason with which a connection ended. */
export type Closing = { readonly code: number; readonly reason: string }

export interface Watched {
  /**
   * Ends a connection that makes no progress.
   *
   * @param now monotonic, in ms
   * @param room how many bytes of unfinished messages there may be
   * @returns how many bytes wait for the rest of their message; 0 once the app has accepted the station
   */
  look(now: number, room: number): number
}

/** What all sockets share. */
export type Shared<Open> = {
  readonly settings: SocketSettings
  readonly patience: Patience
  readonly meter: Meter
  readonly turnstile: Turns
  /** Of frames and bytes, of stations that the app has accepted. */
  readonly budgets: Budgets<StationId>
  readonly open: Set<Open>
  readonly outgoing: Outgoing<Watched>
  /** Those to look at often: not accepted, or with data that waits to be read. */
  readonly watched: Set<Watched>
  /** Monotonic, in ms. */
  readonly now: () => number
  /** Called for each message whose bytes are not UTF-8. */
  readonly onReplaced: (stationId: StationId) => void
}
