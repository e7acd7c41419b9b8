/**
 * Delivers a station's stored transaction messages to the app, through the station's session or what is remembered of
 * it: one at a time, in the order in which they came. A message that the app raises on is retried later, and blocks its
 * own transaction only.
 */
import { isAway, RpcError, type CommandReply } from '../../cable/rpc.ts'
import { versions } from '../../ocpp/version.ts'
import { performData } from '../../translate/commands.ts'
import { confirmationFor } from '../../translate/stored.ts'
import type { Backlog, DeliveryAttempt, Fleet, StoredMessage } from '../ports.ts'
import type { Station } from '../station.ts'
import { mintedIdOf, type Tracked } from '../transactions/digest.ts'
import type { Attaching } from './attaching.ts'
import type { AppConnection } from './connection.ts'
import { warnOfError } from './errors.ts'
import type { AppMessages } from './messages.ts'
import type { SilenceSettings } from './silence.ts'
import { StoredReplies, transactionOfStored } from './stored-replies.ts'

export type DeliveringSettings = SilenceSettings & {
  /** For how long a message that the app raises on is retried. */
  readonly outboxTtlMs: number
}

/** An attempt that takes its turn in the inbox. */
export type DeliveryEntry = { readonly kind: 'delivery'; readonly settle: (attempt: DeliveryAttempt) => void }

export type DeliveringParts = {
  readonly fleet: Pick<Fleet, 'transactions'>
  readonly app: Pick<AppConnection, 'identifier' | 'perform'>
  readonly attaching: Pick<Attaching, 'attach' | 'attachUnprompted'>
  readonly messages: Pick<AppMessages, 'take'>
  readonly lane: { push(entry: DeliveryEntry, bytes: null): void }
}

/** After the disk has failed to remove a message. */
const diskPauseMs = 30_000
/** After an attempt that raised, doubled for each further one. */
const retry = { leastMs: 1_000, mostMs: 10 * 60_000 }

export class Delivering {
  readonly #station: Station<DeliveringSettings>
  readonly #backlog: Backlog
  readonly #parts: DeliveringParts
  readonly #replies: StoredReplies
  /** What was read and not yet delivered. */
  #page: StoredMessage[] = []
  #afterSeq = 0
  /** Transactions with a message in backoff, as the last round has found them so far. */
  readonly #blocked = new Set<string>()
  /** When the first message in backoff is due, in ms since the epoch. */
  #dueAt = Infinity

  constructor(station: Station<DeliveringSettings>, backlog: Backlog, parts: DeliveringParts) {
    this.#station = station
    this.#backlog = backlog
    this.#parts = parts
    this.#replies = new StoredReplies(station, parts)
  }

  /** Delivers the next message, in its turn: behind what the station has sent meanwhile. */
  next(): Promise<DeliveryAttempt> {
    if (this.#station.closed.aborted) return Promise.resolve('none')
    return new Promise(settle => this.#parts.lane.push({ kind: 'delivery', settle }, null))
  }

  /** Delivers one message. The session of a station that the app rejects is closed afterwards. */
  async serve(entry: DeliveryEntry): Promise<void> {
    let attempt: DeliveryAttempt = 'unready'
    try {
      const attached = this.#hasNone ? 'none' : await this.#attach()
      attempt = attached === 'accepted' ? await this.#deliverNext() : attached
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      attempt = error.code === 'aborted' ? 'none' : isAway(error) ? 'away' : 'unready'
    } finally {
      entry.settle(attempt)
    }
    if (attempt === 'refused') this.#station.closing ??= { code: 1008, reason: 'Not authorized' }
  }

  /** Gives up an entry that was taken out of the inbox. */
  drop(entry: DeliveryEntry): void {
    entry.settle('none')
  }

  /**
   * Delivers all that can be delivered, before a message that came later. Rejects with `RpcError` where the app fails,
   * and with the code `blocked` where a message of the same transaction is in backoff: the later message must not
   * overtake it.
   *
   * @param later the later message
   * @param queueDeadline as in `Rpc`
   * @returns whether the app accepts the station, as far as the app was asked
   */
  async drain(later: Tracked, queueDeadline: () => number): Promise<boolean> {
    while (!this.#hasNone) {
      if (!(await this.#parts.attaching.attach(null, queueDeadline))) return false
      const attempt = await this.#deliverNext()
      // The disk fails: live messages do not wait for it, and what is stored follows when it is back.
      if (attempt === 'unready') return true
      if (attempt !== 'none') continue
      if (later.of !== null && this.#blocked.has(later.of)) throw blocked()
      return true
    }
    return true
  }

  get #hasNone(): boolean {
    return this.#station.closed.aborted || !this.#backlog.has(this.#station.handshake.stationId)
  }

  async #attach(): Promise<'accepted' | 'away' | 'refused' | 'unready'> {
    if (this.#parts.app.identifier !== null) return 'accepted'
    const attempt = await this.#parts.attaching.attachUnprompted()
    if (attempt === 'accepted' || attempt === 'away' || attempt === 'refused') return attempt
    return 'unready'
  }

  /**
   * Delivers the next message; the station is attached. Its other connection may have delivered what this one has read,
   * so nothing is read before the turn.
   */
  async #deliverNext(): Promise<'delivered' | 'failed' | 'unready' | 'none'> {
    return this.#backlog.inTurn(this.#station.handshake.stationId, this, async isFirst => {
      if (isFirst) this.#restart()
      try {
        const message = this.#station.closed.aborted ? null : await this.#nextMessage()
        if (message === null) return 'none'
        return message === 'unreadable' ? 'unready' : await this.#deliver(message)
      } catch (error) {
        this.#restart()
        throw error
      }
    })
  }

  /**
   * The first message that is due and not blocked. At the end of a round the next one begins with the oldest message.
   */
  async #nextMessage(): Promise<StoredMessage | null | 'unreadable'> {
    const { stationId } = this.#station.handshake
    for (;;) {
      const message = this.#page.shift()
      if (message !== undefined) {
        this.#afterSeq = message.seq
        if (!this.#isBlocked(message)) return message
        continue
      }
      if (this.#afterSeq === 0) this.#blocked.clear()
      const page = await this.#backlog.pendingOf(stationId, this.#afterSeq)
      if (page === null) {
        this.#restart()
        return 'unreadable'
      }
      if (page.length === 0) {
        this.#backlog.onRound(stationId, this.#dueAt)
        this.#restart()
        return null
      }
      this.#page = [...page]
    }
  }

  /** The next round begins with the oldest message. */
  #restart(): void {
    this.#page = []
    this.#afterSeq = 0
    this.#dueAt = Infinity
  }

  #isBlocked(message: StoredMessage): boolean {
    const { nextAttemptAt } = message
    const transaction = transactionOfStored(message)
    if (transaction !== null && this.#blocked.has(transaction)) return true
    if (nextAttemptAt <= this.#station.world.date().getTime()) return false
    this.#block(transaction, nextAttemptAt)
    return true
  }

  #block(transaction: string | null, dueAt: number): void {
    if (transaction !== null) this.#blocked.add(transaction)
    this.#dueAt = Math.min(this.#dueAt, dueAt)
  }

  async #deliver(message: StoredMessage): Promise<'delivered' | 'failed'> {
    const backlog = this.#backlog
    // The reply to an attempt from before it was stored has come meanwhile.
    if (backlog.isTaken(message)) return await this.#onDelivered(message)
    const attempts = Math.max(message.attempts, backlog.isOlderThanProcess(message) ? 1 : 0)
    try {
      const reply = await this.#perform(message, attempts)
      if (reply.status === 'failure') return await this.#onRaised(message, attempts + 1, 'the app aborted the action')
      await this.#replies.take(message, reply)
      return await this.#onDelivered(message)
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      warnOfError(this.#station, message.action, error)
      if (error.code === 'application') return await this.#onRaised(message, attempts + 1, error.message)
      if (error.outcome !== 'notRun') await backlog.failed(message, attempts + 1, 0, error.message)
      throw error
    }
  }

  #perform(message: StoredMessage, attempts: number): Promise<CommandReply> {
    const { id, action, payload, key, version, storedAt } = message
    const form = { granular: this.#station.settings.granularActions, version: versions[version].number }
    const minted = mintedIdOf(message)
    const extras = {
      ...(attempts > 0 && { attempt: attempts + 1 }),
      ...(minted !== null && { transactionId: minted }),
      storedAt: new Date(storedAt).toISOString(),
    }
    const data = performData({ kind: 'call', id, action, payload }, form, key, extras)
    return this.#parts.app.perform(data, this.#station.closed)
  }

  async #onDelivered(message: StoredMessage): Promise<'delivered'> {
    const { stationId, key, content, action, version, payload, attempts } = message
    // For a station that has not seen the confirmation, and sends the message again. A start may have ended since.
    if (mintedIdOf(message) === null) {
      const confirmation = confirmationFor(action, version, payload, this.#station.settings, null)
      const answer = { kind: 'callResult', id: message.id, payload: confirmation } as const
      const tracked = { stationId, key, content, transaction: null, of: null, ended: null }
      this.#parts.fleet.transactions.record(tracked, { attempts: attempts + 1, answer })
    }
    if (!(await this.#backlog.delivered(message))) this.#dueAt = this.#station.world.date().getTime() + diskPauseMs
    return 'delivered'
  }

  async #onRaised(message: StoredMessage, attempts: number, reason: string): Promise<'failed'> {
    const { settings, world } = this.#station
    const now = world.date().getTime()
    if (now - message.storedAt >= settings.outboxTtlMs) {
      await this.#backlog.deadLetter(message, reason)
      return 'failed'
    }
    const nextAttemptAt = now + Math.min(retry.leastMs * 2 ** (attempts - 1), retry.mostMs)
    this.#block(transactionOfStored(message), nextAttemptAt)
    await this.#backlog.failed(message, attempts, nextAttemptAt, reason)
    return 'failed'
  }
}

function blocked(): RpcError {
  return new RpcError('blocked', 'notRun', 'an earlier message of the transaction waits for its next attempt')
}
