/**
 * What a session needs of the world. The edges implement these, and so do the fakes of the tests.
 */
import type { CommandCall, CommandReply, ConnectCall, ConnectReply, DisconnectCall, StreamName } from '../cable/rpc.ts'
import type { Answer, Call } from '../ocpp/frame.ts'
import type { JsonText } from '../ocpp/json.ts'
import type { Version } from '../ocpp/version.ts'
import type { Violation } from '../ocpp/violations.ts'
import type { Log } from '../ops/log.ts'
import type { Meter } from '../ops/metrics.ts'
import type { StationId } from '../translate/handshake.ts'
import type { KeptAnswer } from './answered.ts'

/**
 * The app, by whatever transport. Rejects with `RpcError` only.
 *
 * `signal` skips a call that is not on the wire yet, with the code `aborted`. A call on the wire runs to its deadline: the
 * app is working on it, and its reply changes states and streams.
 */
export interface Rpc {
  /**
   * @param queueDeadline until when the call may wait in the queue, where that is longer than usual, in ms of the
   * monotonic clock (`performance.now()`); called again while it waits. Once it leaves the queue, it has as much time as
   * any other call.
   */
  connect(call: ConnectCall, signal: AbortSignal, queueDeadline?: () => number): Promise<ConnectReply>
  /** @param queueDeadline as above */
  command(call: CommandCall, signal: AbortSignal, queueDeadline?: () => number): Promise<CommandReply>
  disconnect(call: DisconnectCall, signal: AbortSignal): Promise<void>
  /**
   * Fails every call that has no reply yet, and every later one, with the code `aborted`: the outcome is `unknown` for a
   * call on the wire, and `notRun` for any other.
   */
  abort(): void
}

/** One station's socket. `send` and `close` after the end do nothing. */
export interface StationSocket {
  send(text: string): void
  /** Sends what was sent before, then the close frame; `reason` is cut to the 123 bytes of RFC 6455 §5.5. */
  close(code: CloseCode, reason: string): void
  pause(): void
  resume(): void
}

/**
 * 1000 closed by the app, 1001 going away, 1002 too many bad frames, 1008 refused, 1009 too big, 1011 internal
 * (RFC 6455 §7.4.1).
 */
export type CloseCode = 1000 | 1001 | 1002 | 1008 | 1009 | 1011

/** The official schemas of each version. */
export interface Schemas {
  /**
   * How a payload breaks the schema of its message, the first ten; none for a valid one, and where there is no such
   * schema. A request is also a SEND. Never throws.
   */
  violations(version: Version, action: string, message: 'request' | 'response', payload: JsonText): readonly Violation[]
}

/**
 * Where transaction messages stand while they are on their way to the app. In memory today (`hold.ts`); what is kept on
 * disk, or with others, implements the same.
 */
export interface Hold {
  /** Takes a message in, before it is first tried. */
  put(stationId: StationId, call: Call): Promise<HeldMessage>
}

export interface HeldMessage {
  /**
   * One try, whose error it rejects with.
   *
   * @param run performs the message; `attempt` is 1 as long as none before can have reached the app, those of another
   * connection of the station among them
   */
  attempt<Reply>(run: (attempt: number) => Promise<Reply>): Promise<Reply>
  /**
   * The message is nobody's here any more.
   *
   * @param isAnswered by the app; if not, the station has it back, and may send it again
   */
  settle(isAnswered: boolean): Promise<void>
}

/** Names a connection of a station on log lines. */
export type Who = { readonly sid: string; readonly station: StationId }

/** What all sessions share. */
export type World = {
  readonly hold: Hold
  readonly rpc: Rpc
  readonly schemas: Schemas
  readonly meter: Meter
  readonly log: Log
  /** Warns, at most once in ten minutes for a key: a fault that ten thousand stations share is one line. */
  readonly once: (key: string, fields: object, message: string) => void
  /** Shows a frame in the log, redacted; `null` unless frames are to be shown. */
  readonly trace: ((who: Who, direction: 'received' | 'sent', text: string) => void) | null
  now(): Date
  /** In [0, 1). */
  random(): number
  /** A new id, unique over all connections (OCPP-J 1.6 errata 2025-04 §3.1): 36 characters at most. */
  newId(): string
}

/** Where the streams of a subscription are entered. */
export interface Streams {
  join(stream: StreamName): void
  leave(stream: StreamName): void
  leaveAll(): void
}

/** What is known of a station beyond this connection. */
export interface Registry {
  /**
   * Makes this connection the station's only one, and known by the app's words for it; resolves when the app has seen
   * the end of those before it, or cannot be told.
   */
  claim(connectionIdentifiers: string): Promise<void>
  /** The serial number by which the station was subscribed last, for one that reconnects without a boot. */
  serialNumber(): string | null
  /** The app has let the station in, by this serial number. */
  onLetIn(serialNumber: string): void
  /** Gives the station a turn to boot again, unless this connection has one; in how many seconds it is. */
  putOff(): number
  /** The answer that the same transaction message, by id and content, was given lately; `null` if none. */
  answerTo(call: Call): KeptAnswer | null
  answered(call: Call, answer: Answer): void
}

/** One session's Disconnect; `done` resolves when it was made, or lost. */
export interface Farewell {
  readonly done: Promise<void>
  /** Makes it at once, past the rate: the station is back and waits for it. */
  hurry(): void
}

/** What a session needs of those around it. */
export interface Surroundings {
  readonly streams: Streams
  readonly registry: Registry
  /** The session takes no part any more: out of every stream and map. */
  leave(): void
  /** Its Disconnect, to be made in its turn. */
  farewell(disconnect: () => Promise<void>): Farewell
}
