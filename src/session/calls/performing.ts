/**
 * Takes a station's CALLs and SENDs to the app: attaches the station first, retries transaction messages while the app
 * is away, and marks an attempt that may not be the first to reach the app.
 */
import { isAway, RpcError, type CommandReply } from '../../cable/rpc.ts'
import type { Call, Send } from '../../ocpp/frame.ts'
import type { Violation } from '../../ocpp/violations.ts'
import { performData, type Extras } from '../../translate/commands.ts'
import type { Cause } from '../../translate/unanswered.ts'
import type { Attaching, AttachingSettings } from '../app/attaching.ts'
import type { AppConnection } from '../app/connection.ts'
import type { Delivering } from '../app/delivering.ts'
import type { AppMessages } from '../app/messages.ts'
import { Pause } from './pause.ts'
import type { Fleet } from '../ports.ts'
import type { Collecting } from '../reports/collecting.ts'
import type { Station } from '../station.ts'
import { trackedOf, transactionIdFor, type Tracked } from '../transactions/digest.ts'
import type { KeptAnswer } from '../transactions/transactions.ts'
import type { Unanswered } from '../transactions/unanswered.ts'

export type PerformingSettings = AttachingSettings & {
  readonly granularActions: boolean
  readonly forwardHeartbeats: boolean
}

export type PerformingParts = {
  readonly fleet: Fleet
  readonly app: AppConnection
  readonly attaching: Attaching
  readonly messages: AppMessages
  /** `null` where each part of a report is performed as it comes. */
  readonly collecting: Collecting | null
  readonly unanswered: Unanswered
  /** `null` where nothing can be stored. */
  readonly delivering: Delivering | null
}

/** A CALL on its way to an answer. */
export type PendingCall = {
  readonly call: Call
  /** In ms of `World.now`. */
  readonly receivedAt: number
  /** What identifies a transaction message; `null` for any other one. */
  readonly tracked: Tracked | null
  /** The transaction id that the station gets if the app is silent; `null` if none. */
  readonly transactionId: number | null
  /** Attempts that may have reached the app, earlier connections included. */
  attempts: number
  isAnswered: boolean
  /** The station has sent another CALL with the same id, and waits for that one's answer only. */
  isSuperseded: boolean
  /** Whether the outbox answers the station instead. */
  isStored: boolean
}

/** The app gave no reply. */
export type Failed = { readonly kind: 'failed'; readonly cause: Cause }
/** How far a CALL came. */
export type Reached =
  /** The app's reply itself: an object around it would be one more for each call that waits. */
  | CommandReply
  /** It was performed before, and this was its answer. */
  | { readonly kind: 'replayed'; readonly answer: KeptAnswer }
  /** The app accepts the station, and need not see this CALL. */
  | { readonly kind: 'local' }
  /** It is in the outbox, and confirmed to the station. */
  | { readonly kind: 'stored' }
  | { readonly kind: 'unauthorized' }

/** Stations wait at least this long for an answer; 30 s is common, the specs set no value. */
const patienceMs = 20_000
/** Before an attempt after the app was away; of one that raised, doubled for each further attempt. */
const retryPauseMs = 500

export class Performing {
  readonly #station: Station<PerformingSettings>
  readonly #parts: PerformingParts
  readonly #retryPause = new Pause()
  #retries = true

  constructor(station: Station<PerformingSettings>, parts: PerformingParts) {
    this.#station = station
    this.#parts = parts
  }

  /** Whether the app has accepted the connection and its subscription. */
  get isAttached(): boolean {
    return this.#parts.app.identifier !== null
  }

  /** Whether the app accepts the station, and need not see this CALL. */
  isLocal({ action }: Call): boolean {
    return action === 'Heartbeat' && this.#parts.app.identifier !== null && !this.#station.settings.forwardHeartbeats
  }

  /**
   * Takes a CALL to the app. Throws or rejects with `RpcError`.
   *
   * A transaction message is retried while the station waits. In time before the station gives up, the connection is
   * closed, also over an attempt under way: its reply is kept for the next connection.
   */
  call(pending: PendingCall, violations: readonly Violation[]): Promise<Reached> | Reached {
    const { tracked, transactionId } = pending
    const extras = transactionId === null && violations.length === 0 ? noExtras : extrasOf(transactionId, violations)
    return tracked === null ? this.#attempt(pending, extras) : this.#callTransaction(pending, tracked, extras)
  }

  async #callTransaction(pending: PendingCall, tracked: Tracked, extras: Extras): Promise<Reached> {
    const { receivedAt } = pending
    const { unanswered, delivering } = this.#parts
    const { world } = this.#station
    const isWanted = (): boolean => this.#retries && !pending.isAnswered && !pending.isSuperseded && !pending.isStored
    // Without it, a message would lose its place in the queue of calls to messages that came later.
    const queueDeadline = (): number => (isWanted() ? receivedAt + unanswered.longestMs : 0)
    const onSlow = (): void => {
      const leftMs = receivedAt + unanswered.patienceMs - world.now()
      if (leftMs > 0) timer = this.#station.after(leftMs, onSlow)
      else if (isWanted()) unanswered.leave(pending, world.rpc.presence.isAway ? 'away' : 'timeout')
    }
    if (unanswered.storing?.isBehind(pending) === true && (await unanswered.store(pending))) return { kind: 'stored' }
    let timer = this.#station.after(receivedAt + unanswered.awayMs - world.now(), onSlow)
    try {
      for (let raised = 0; ;) {
        try {
          // What the station has stored came before.
          if (delivering !== null && !(await delivering.drain(tracked, queueDeadline))) return { kind: 'unauthorized' }
          return await this.#attempt(pending, extras, queueDeadline)
        } catch (error) {
          if (!isWanted() || !(error instanceof RpcError)) throw error
          const isRetried = isAway(error) || (unanswered.closes && error.code === 'application')
          const pauseMs = isAway(error) ? retryPauseMs : retryPauseMs * 2 ** raised++
          if (!isRetried || world.now() + pauseMs >= receivedAt + unanswered.patienceMs) throw error
          await this.#retryPause.wait(pauseMs)
          if (pending.isAnswered || pending.isSuperseded || pending.isStored) throw error
        }
      }
    } finally {
      clearTimeout(timer)
    }
  }

  /** @returns whether the app accepts the station; rejects with `RpcError` */
  async send(send: Send, violations: readonly Violation[]): Promise<boolean> {
    if (!(await this.#attach(send))) return false
    this.#parts.messages.takeReply(await this.#perform(send, null, extrasOf(null, violations)))
    return true
  }

  /** Ends the pause before a retry; the attempt after it is the last. The session ends, or the bridge does. */
  stopRetrying(): void {
    this.#retries = false
    this.#retryPause.end()
  }

  /**
   * Throws or rejects with `RpcError`.
   *
   * @param queueDeadline of a transaction message, as in `Rpc`
   */
  #attempt(pending: PendingCall, extras: Extras, queueDeadline?: () => number): Promise<Reached> | Reached {
    const { call, tracked } = pending
    const { app, unanswered } = this.#parts
    // The CALL may have waited behind earlier ones.
    const longestMs = tracked === null ? patienceMs : unanswered.longestMs
    const isTooLate = this.#station.world.now() >= pending.receivedAt + longestMs
    if (isTooLate && app.identifier === null) throw tooLate()
    if (app.identifier !== null && call.action !== 'BootNotification')
      return this.#reach(pending, isTooLate, extras, queueDeadline)
    return this.#attach(call, queueDeadline).then(isAccepted =>
      isAccepted ? this.#reach(pending, isTooLate, extras, queueDeadline) : { kind: 'unauthorized' },
    )
  }

  /** With the station attached. */
  #reach(
    pending: PendingCall,
    isTooLate: boolean,
    extras: Extras,
    queueDeadline?: () => number,
  ): Promise<Reached> | Reached {
    const { call, tracked } = pending
    const { collecting, fleet } = this.#parts
    if (this.isLocal(call)) return { kind: 'local' }
    // Only now: an attempt on an older connection may have been in flight.
    const known = tracked === null ? null : fleet.transactions.find(tracked)
    if (known !== null && known.answer !== null) return { kind: 'replayed', answer: known.answer }
    if (isTooLate) throw tooLate()
    if (known !== null) {
      pending.attempts = Math.max(pending.attempts, known.attempts)
      return this.#performTransaction(pending, extras, queueDeadline)
    }
    if (collecting === null) return this.#perform(call, null, extras)
    // Parts of a report are collected; none of them is a transaction message.
    return collecting.perform(call, extras).then(reply => reply ?? { kind: 'local' })
  }

  async #performTransaction(pending: PendingCall, extras: Extras, queueDeadline?: () => number): Promise<CommandReply> {
    const { call, tracked, attempts } = pending
    // Counted before the app replies: a broadcast may answer the message meanwhile.
    pending.attempts = attempts + 1
    const told = attempts > 0 ? { attempt: attempts + 1, ...extras } : extras
    try {
      return await this.#perform(call, tracked?.key ?? null, told, queueDeadline)
    } catch (error) {
      if (error instanceof RpcError && error.outcome === 'notRun') pending.attempts = attempts
      throw error
    }
  }

  #perform(
    message: Call | Send,
    key: string | null,
    extras: Extras,
    queueDeadline?: () => number,
  ): Promise<CommandReply> {
    const { row, settings, closed } = this.#station
    const form = { granular: settings.granularActions, version: row.number }
    return this.#parts.app.perform(performData(message, form, key, extras), closed, queueDeadline)
  }

  #attach({ action, payload }: Call | Send, queueDeadline?: () => number): Promise<boolean> {
    return this.#parts.attaching.attach(action === 'BootNotification' ? payload : null, queueDeadline)
  }
}

/** @param minting actions whose CALL gets a transaction id before the app is asked */
export function pendingCall(
  { handshake, row }: Station,
  call: Call,
  receivedAt: number,
  minting: ReadonlySet<string>,
): PendingCall {
  const identity = row.transactionMessages.get(call.action)
  const tracked = identity === undefined ? null : trackedOf(handshake.stationId, call, identity)
  const transactionId = tracked !== null && minting.has(call.action) ? transactionIdFor(tracked) : null
  return {
    call,
    receivedAt,
    tracked,
    transactionId,
    attempts: 0,
    isAnswered: false,
    isSuperseded: false,
    isStored: false,
  }
}

const noExtras: Extras = {}

function extrasOf(transactionId: number | null, violations: readonly Violation[]): Extras {
  return { ...(transactionId !== null && { transactionId }), ...(violations.length > 0 && { violations }) }
}

function tooLate(): RpcError {
  return new RpcError('timeout', 'notRun', 'the message has waited too long behind earlier ones')
}
