/**
 * The outbox: transaction messages that wait on the disk for the app. Types alone: what the store gives, and what a
 * session sees of it.
 */
import type { Identifier, SessionEnv } from '../../cable/rpc.ts'
import type { MessageId } from '../../ocpp/frame.ts'
import type { JsonText } from '../../ocpp/json.ts'
import type { Version } from '../../ocpp/version.ts'
import type { StationHandshake, StationId } from '../../translate/handshake.ts'
import type { Tracked } from './digest.ts'

/** A transaction message that is to outlive the process until the app has it. */
export type OutboxMessage = {
  readonly stationId: StationId
  readonly version: Version
  readonly id: MessageId
  readonly key: Tracked['key']
  readonly content: Tracked['content']
  readonly action: string
  readonly payload: JsonText
  /** Attempts that may have reached the app. */
  readonly attempts: number
  /** In ms since the epoch. */
  readonly storedAt: number
}

/** A message in the outbox. */
export type StoredMessage = OutboxMessage & {
  /** Its place in the order of arrival, for all stations. */
  readonly seq: number
  /** In ms since the epoch; 0 before the first attempt. */
  readonly nextAttemptAt: number
}

/**
 * What the app restores a station's connection from when it runs an action: as of the last subscribe that the app
 * accepted. On the disk without credentials.
 */
export type AppSession = {
  readonly version: Version
  readonly connectionIdentifiers: string
  readonly identifier: Identifier
  readonly env: SessionEnv
}

/** How much the outbox holds. */
export type OutboxSize = {
  readonly pending: number
  readonly dead: number
  readonly bytes: number
  /** When the oldest pending message was stored, in ms since the epoch; `null` if none is pending. */
  readonly oldestAt: number | null
}

/**
 * Messages on the disk. Each operation resolves when it is synced, and rejects where it may not be: then nothing may
 * rely on it.
 */
export interface Outbox {
  /**
   * @returns `present`: the same message, by key and content, is stored already. `refused`: the outbox is full; it is
   * so earlier for MeterValues, so that stops still fit
   */
  append(message: OutboxMessage): Promise<'stored' | 'present' | 'refused'>
  /** A station's first hundred messages after `afterSeq` that are still to be delivered, in the order of arrival. */
  pendingOf(stationId: StationId, afterSeq?: number): Promise<readonly StoredMessage[]>
  /** The app has it: removes it. */
  delivered(seq: number): Promise<void>
  /** @param attempts those that may have reached the app, so far */
  failed(seq: number, attempts: number, nextAttemptAt: number, error: string): Promise<void>
  /** The app has raised once more: gives it up until an operator decides. */
  deadLetter(seq: number, reason: string): Promise<void>
  keepSession(stationId: StationId, session: AppSession): Promise<void>
  /** @returns `null` where none is kept */
  sessionOf(stationId: StationId): Promise<AppSession | null>
  size(): Promise<OutboxSize>
}

/** Which credentials the app has accepted, for each station. */
export interface AcceptedCredentials {
  wasAccepted(stationId: StationId, credentials: string): boolean
  onAccepted(stationId: StationId, credentials: string): void
  onRejected(stationId: StationId, credentials: string): void
}

/** The outbox as the process found it, once it is open. Before, it knows no station, and its operations reject. */
export type DurableOutbox = {
  readonly outbox: Outbox
  readonly accepted: AcceptedCredentials
  /** The stations whose messages the last process has left. */
  readonly stations: readonly StationId[]
  /** Calls the listener when the outbox is open: at once, or later. */
  readonly onOpened: (listener: () => void) => void
  /** Logs and counts an operation that failed. */
  readonly onFailure: (error: unknown) => void
}

/** The outbox, as one session sees it. No operation rejects. */
export interface Backlog {
  /** Whether messages of the station are stored that the app does not have. */
  has(stationId: StationId): boolean
  /** Whether the app has accepted the station before, with these credentials. */
  knows(handshake: StationHandshake): boolean
  /** @param session `null` where the app has none of the station */
  onAccepted(handshake: StationHandshake, session: AppSession | null): void
  onRejected(handshake: StationHandshake): void
  /**
   * @param withinMs a disk that takes longer counts as failed, after 5 s at the latest
   * @returns whether the message is on the disk; `false` at once while the disk counts as failing
   */
  append(message: OutboxMessage, withinMs?: number): Promise<boolean>
  /** The app has answered a message after all that is in the outbox. */
  onTaken(message: MessageName): void
  /** Whether the app has answered a message in the outbox. */
  isTaken(message: MessageName): boolean
  /**
   * @param afterSeq 0 begins a round
   * @returns `null` where the disk fails
   */
  pendingOf(stationId: StationId, afterSeq: number): Promise<readonly StoredMessage[] | null>
  /** @returns whether the message is gone from the disk */
  delivered(message: StoredMessage): Promise<boolean>
  /**
   * An attempt has failed.
   *
   * @param attempts those that may have reached the app, so far
   * @param nextAttemptAt in ms since the epoch
   */
  failed(message: StoredMessage, attempts: number, nextAttemptAt: number, error: string): Promise<void>
  /** The app has raised on a message for longer than `ocpp_outbox_ttl`. */
  deadLetter(message: StoredMessage, reason: string): Promise<void>
  /**
   * Delivers one message of a station at a time, whichever of its connections it goes through: a message that is read
   * within its turn is performed once.
   *
   * @param owner whoever delivers
   * @param deliver `isFirst`: the owner's turn before was not the last one of the station, so what it has read is stale
   */
  inTurn<Result>(stationId: StationId, owner: object, deliver: (isFirst: boolean) => Promise<Result>): Promise<Result>
  /** Whether an earlier process has stored the message, so that attempts of it may be unknown. */
  isOlderThanProcess(message: OutboxMessage): boolean
  /**
   * All messages of the station were looked at. It stays due if one was stored since the round began.
   *
   * @param dueAt when the next one is due, in ms since the epoch; `Infinity` if none is left
   */
  onRound(stationId: StationId, dueAt: number): void
}

export type MessageName = Pick<Tracked, 'stationId' | 'key' | 'content'>

/**
 * How an attempt to deliver one message ended: the app has it, raised on it, or is away; `unready`: the station could
 * not be attached, or the disk failed. `none`: there is nothing to deliver now.
 */
export type DeliveryAttempt = 'delivered' | 'failed' | 'away' | 'unready' | 'refused' | 'none'

/** A message of the outbox, as the store has it. */
export type OutboxRow = {
  readonly seq: number
  readonly stationId: StationId
  readonly version: string
  readonly id: string
  readonly action: string
  readonly key: string
  readonly payload: string
  readonly storedAt: number
  readonly attempts: number
  readonly deadAt: number | null
  readonly error: string | null
}

export type OutboxFilter = {
  readonly stationId: StationId | null
  readonly state: 'pending' | 'dead' | null
  readonly after: number
  readonly limit: number
}

/** Messages that are pending again, and their stations. */
export type OutboxRetried = { readonly messages: number; readonly stations: readonly StationId[] }

/** What an operator does with the outbox. Rejects where the disk fails. */
export interface OutboxAdmin {
  list(filter: OutboxFilter): Promise<readonly OutboxRow[]>
  find(seq: number): Promise<OutboxRow | null>
  /** @param seqs `null` for all */
  retry(seqs: readonly number[] | null): Promise<OutboxRetried>
  /** @param seqs `null` for all; resolves with how many there were */
  drop(seqs: readonly number[] | null): Promise<number>
}
