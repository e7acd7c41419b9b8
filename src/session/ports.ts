/**
 * What a session needs from outside. The edges, the fleet and the tests' fakes implement these.
 */
import type { Connected, StreamName } from '../cable/rpc.ts'
import type { JsonText } from '../ocpp/json.ts'
import type { Version } from '../ocpp/version.ts'
import type { Violation } from '../ocpp/violations.ts'
import type { Log } from '../ops/log.ts'
import type { Meter } from '../ops/metrics.ts'
import type { Traces } from '../ops/reporting/traces.ts'
import type { VisitLog } from '../ops/visit-log.ts'
import type { StationHandshake, StationId } from '../translate/handshake.ts'
import type { Cause } from '../translate/unanswered.ts'
import type { CommandOutcome } from '../translate/commands.ts'
import type { RemoteCommand } from '../translate/messages.ts'
import type { Rpc } from './app/rpc.ts'
import type { Asked, UnansweredCommands } from './commands/unanswered.ts'
import type { DurableProofs } from './auth/proofs.ts'
import type { StationKeys } from './auth/keys.ts'
import type { KnownStations } from './known-stations.ts'
import type { Tracked } from './transactions/digest.ts'
import type { Backlog, DeliveryAttempt, DurableOutbox } from './transactions/outbox.ts'
import type { DurableStarts, KeptAnswer, TransactionOutcome } from './transactions/transactions.ts'
import type { KeptError, KeptViolation, LastSeen, SessionEnd } from './view/record.ts'

export type { Asked } from './commands/unanswered.ts'
export type * from './app/rpc.ts'
export type * from './auth/keys.ts'
export type * from './transactions/outbox.ts'
export type { Departure, KeptError, LastSeen, RefusedUpgrade, SessionEnd } from './view/record.ts'

/** A station that may connect; `connected` is what the app has said, `null` if it was not asked. */
export type Admitted = { readonly kind: 'admitted'; readonly connected: Connected | null }

/** One station's socket. `send` and `close` do nothing once it is closed. */
export interface StationSocket {
  /** Whether the connection is open both ways; a closed one may still have messages to hand on. */
  readonly isOpen: boolean
  send(text: string): void
  /** Sends what is queued, then the close frame; `reason` is cut to the 123 bytes of RFC 6455 §5.5. */
  close(code: CloseCode, reason: string): void
  /**
   * Until `resume`, the session receives no messages; control frames are still served. The end of the connection waits
   * behind the messages that arrived before it.
   */
  pause(): void
  resume(): void
  /** The app has accepted the station: the limits on those that may be anyone end. */
  accept(): void
  /**
   * The app accepted the station before: its messages may be of any size before it does so again.
   *
   * @param isProven whether it has the credentials of then: its messages may be compressed, although a few bytes then
   * become a large one, and may take any time while their bytes arrive
   * @returns whether they may be of any size
   */
  expectLargeMessages(isProven: boolean): boolean
  /** Whether the station has answered a ping. */
  readonly answersPings: boolean
  /** Pings a station that has not answered a ping; further calls do nothing. */
  probe(): void
  /** From now on the station may be silent for as long as this heartbeat interval allows. */
  expectHeartbeats(intervalMs: number): void
}

/**
 * 1000 closed by the app, 1001 going away, 1002 too many malformed frames, 1008 refused, 1009 too big, 1011 internal,
 * 1012 come back with the message that was not answered (RFC 6455 §7.4.1 and IANA's registry).
 */
export type CloseCode = 1000 | 1001 | 1002 | 1008 | 1009 | 1011 | 1012

/** The official schemas of each version. */
export interface Schemas {
  /**
   * The first ten violations of a message's schema; none for a valid payload, and none where there is no such schema.
   * A SEND counts as a request. Never throws.
   *
   * @param value of the payload; it is parsed where the value is not at hand
   */
  violations(
    version: Version,
    action: string,
    message: 'request' | 'response',
    payload: JsonText,
    value?: unknown,
  ): readonly Violation[]
}

/** Names a station's connection in log lines. */
export type Who = { readonly sid: string; readonly station: StationId }

export type Trace = (who: Who, direction: 'received' | 'sent', text: string) => void

/** What an operator may want to see as it happens. */
export type StationEvent = { readonly who: Who; readonly version: Version } & (
  | { readonly type: 'connected' }
  /** The app has accepted and subscribed it. */
  | { readonly type: 'ready' }
  | ({ readonly type: 'disconnected' } & SessionEnd)
  | { readonly type: 'command'; readonly outcome: CommandOutcome }
)

/** What all sessions share. */
export type World = {
  readonly rpc: Rpc
  /** `null` where the bridge holds no keys. */
  readonly keys: StationKeys | null
  readonly schemas: Schemas
  readonly meter: Meter
  readonly log: Log
  /** For the lines that each connection writes. */
  readonly visitLog: Pick<VisitLog, 'info'>
  /**
   * Warns, at most once in ten minutes for each key and detail: a fault that ten thousand stations share is one line.
   *
   * @param fields a function where they take long to find
   * @param detail tells faults of one key apart; the first ten of them are logged
   * @returns whether it did
   */
  readonly once: (key: string, fields: object | (() => object), message: string, detail?: string) => boolean
  /** Takes a frame; `null` while neither the log nor an operator watches. Read for each frame: it changes. */
  readonly trace: Trace | null
  /** Has a span made of each CALL, SEND and command; `null` where traces are off. */
  readonly traces: Pick<Traces, 'ofCall' | 'onAnswer' | 'onCommand' | 'onOutcome' | 'ofOutcome'> | null
  /** Takes what happens to stations; `null` while nothing is watched. */
  readonly events: ((event: StationEvent) => void) | null
  /** Monotonic, in ms, with the origin of `performance.now()`: for durations and deadlines. */
  readonly now: () => number
  /** The wall clock: for times that a station reads. */
  readonly date: () => Date
  /** In [0, 1). */
  readonly random: () => number
  /** A new id, unique over all connections (OCPP-J 1.6 errata 2025-04 §3.1), of at most 36 characters. */
  readonly newId: () => string
}

/**
 * How an unprompted attach ended: the app accepted or refused the station, rejected the id that stood for its unknown
 * serial number, raised an error, or is away. `skipped`: there was nothing left to do.
 */
export type AttachAttempt = 'accepted' | 'refused' | 'idRejected' | 'raised' | 'away' | 'skipped'

/** Attaches a station that says nothing, and finds out its serial number where that is not known. */
export interface UnpromptedAttach {
  /** Whether nothing is left to do on this connection. */
  readonly isSettled: boolean
  /** Whether there is something to do now. */
  readonly isWanted: boolean
  /** Takes its turn among the station's messages. Never rejects. */
  unprompted(): Promise<AttachAttempt>
}

/** `attaching` until the app has accepted the station; then the status of its last boot on this connection. */
export type SessionState = 'attaching' | 'unknown' | 'accepted' | 'pending' | 'rejected'

/** A CALL without an answer; `since` in ms of `World.now`, `null` while it waits to be sent. */
export type OpenCall = { readonly id: string; readonly action: string; readonly since: number | null }

export type SessionView = {
  readonly fromStation: readonly OpenCall[]
  /** The one on the wire first. */
  readonly toStation: readonly OpenCall[]
  readonly queues: {
    readonly messages: number
    readonly messageBytes: number
    readonly isPaused: boolean
    readonly commands: number
    readonly outcomes: number
  }
  readonly received: Readonly<Record<string, number>>
  readonly sent: Readonly<Record<string, number>>
}

/** A session, as an operator sees it; read on demand. */
export interface Inspected {
  readonly state: SessionState
  /** In ms of `World.now`; `null` if none has come. */
  readonly lastMessageAt: number | null
  /** The sn that the app knows the station by; `null` before it is subscribed. */
  readonly sn: string | null
  /** CALLs and SENDs of the station on this connection, and commands sent to it. */
  readonly messages: number
  /** How many commands and messages wait. */
  readonly load: { readonly commands: number; readonly messages: number }
  /** The last ones of the connection, the latest last. */
  readonly errors: readonly KeptError[]
  /** Of messages of the station on this connection; `null` if none broke its schema. */
  readonly violation: KeptViolation | null
  detail(): SessionView
}

/** A session, as the fleet sees it. */
export interface Member {
  readonly who: Who
  readonly handshake: StationHandshake
  /** In ms of `World.now`. */
  readonly openedAt: number
  /**
   * Whether the station has shown life: a CALL or SEND, if only a broken one, an answer to a command or ping, a short
   * text.
   */
  readonly isHeard: boolean
  readonly attaching: UnpromptedAttach
  readonly view: Inspected
  /** @param asked by an operator, not by the app */
  readonly commands: { add(command: RemoteCommand, asked?: Asked): void }
  /** `null` where nothing can be stored. */
  readonly delivering: { next(): Promise<DeliveryAttempt> } | null
  readonly isClosed: boolean
  /** Resolves when the app has seen the session's end, or its Disconnect is lost. */
  readonly ended: Promise<void>
  /** Takes the data of a broadcast to one of the session's streams. */
  deliver(data: string): void
  /** Pings a station that has said nothing yet. */
  probe(): void
  close(code: CloseCode, reason: string): void
  /** Answers what has come in, for `graceMs` with the app and then without it, and closes. Resolves with `ended`. */
  drain(graceMs: number): Promise<void>
  /** Sends the Disconnect now rather than in its turn: the station is back. Resolves with `ended`. */
  expedite(): Promise<void>
}

/**
 * What is remembered of transaction messages across a station's connections: how each one stands, by the station's id
 * and the message's key and content.
 */
export interface TransactionMemory {
  find(message: Tracked): TransactionOutcome<KeptAnswer>
  record(message: Tracked, outcome: TransactionOutcome): void
}

/**
 * The transaction messages over which connections were closed: stations owe them. `digest` is that of the credentials,
 * so that a peer with other ones does not make a station owe.
 */
export interface Debts {
  /** Whether the station owes a message. */
  owes(stationId: StationId, digest: string): boolean
  /** How often the connection was closed over this message for a cause that lies in the message. */
  closesOf(message: Tracked, digest: string): number
  onClosed(message: Tracked, cause: Cause, digest: string): void
  onAnswered(message: Tracked, digest: string): void
  /** After how many ms without an answer the station was seen to send a message again; `Infinity` if never. */
  patienceMs(stationId: StationId): number
  onResent(stationId: StationId, afterMs: number): void
}

/**
 * What outlives the process (`state_dir`). Nobody waits for a write: one that fails is logged and counted, and never
 * throws.
 */
export interface DurableMemory extends DurableStarts, DurableProofs {
  /** What the last process has left, oldest first; empty until it is open. */
  readonly serialNumbers: readonly (readonly [StationId, string])[]
  keepSerialNumber(stationId: StationId, serialNumber: string): void
  /** Stations of the last process, all of them with an end. The one seen last is last. */
  readonly lastSeen: readonly LastSeen[]
  /** Written a little later, together with others. */
  keepSeen(seen: LastSeen): void
  /** `null` where nothing can be stored. */
  readonly durableOutbox: DurableOutbox | null
}

/** All stations, as one session sees them. */
export interface Fleet {
  readonly transactions: TransactionMemory
  readonly debts: Debts
  /** `null` where nothing can be stored. */
  readonly backlog: Backlog | null
  readonly unansweredCommands: UnansweredCommands
  readonly known: KnownStations
  join(stream: StreamName, member: Member): void
  leave(stream: StreamName, member: Member): void
  leaveAll(member: Member): void
  /**
   * Makes this the station's only connection, and reachable by its `connectionIdentifiers`. Resolves when the app has
   * seen the end of the station's older connections, or their Disconnects are lost.
   */
  claim(member: Member, connectionIdentifiers: string): Promise<void>
  /** The serial number that the station was last known by, for a station that reconnects without a boot. */
  serialNumberOf(stationId: StationId): string | null
  /** @param isKnown whether `sn` is the station's serial number, rather than its id for want of one */
  onSubscribed(member: Member, sn: string, isKnown: boolean): void
  /** In how many seconds the station should boot again; reserves that time for it. */
  bootInterval(member: Member): number
  /** Removes a session from all streams and maps. */
  remove(member: Member, end: SessionEnd): void
  /** @param disconnect the RPC */
  queueDisconnect(stationId: StationId, disconnect: () => Promise<void>): QueuedDisconnect
}

/** One session's Disconnect; `done` resolves when the app has it, or when it is lost. */
export interface QueuedDisconnect {
  readonly done: Promise<void>
  /** Sends it now, past the rate limit. */
  expedite(): void
}
