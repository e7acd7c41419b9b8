/**
 * Delivers a station's stored transaction messages to the app, through the station's session or what is remembered of it:
 * one at a time, in the order in which they came. A message that the app raises on is retried later, and blocks its own transaction only.
 */
import { isAway, RpcError, type CommandReply } from '../../cable/rpc.ts'
import { jsonText, type JsonText } from '../../ocpp/json.ts'
import { versions } from '../../ocpp/version.ts'
import type { SilentSettings } from '../../translate/answers.ts'
import { outcomeData, performData } from '../../translate/commands.ts'
import { readReply } from '../../translate/messages.ts'
import { confirmationFor, tokenStatusOf, transactionIdOf, transactionOf } from '../../translate/stored.ts'
import type { Backlog, DeliveryAttempt, Fleet, StoredMessage } from '../ports.ts'
import type { Station } from '../station.ts'
import { mintedIdOf } from '../transactions/digest.ts'
import type { Attaching } from './attaching.ts'
import type { AppConnection } from './connection.ts'
import { warnOfError } from './errors.ts'
import type { AppMessages } from './messages.ts'

export type DeliveringSettings = SilentSettings & {
  readonly granularActions: boolean
  /** For how long a message that the app raises on is retried. */
  readonly outboxTtlMs: number
}

/** An attempt that takes its turn in the inbox. */
export type DeliveryEntry = { readonly kind: 'delivery'; readonly settle: (attempt: DeliveryAttempt) => void }

export type DeliveringParts = {
  readonly fleet: Pick<Fleet, 'transactions'>
  readonly app: Pick<AppConnection, 'identifier' | 'perform'>
  readonly attaching: Pick<Attaching, 'attachUnprompted'>
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
  }

  /** Delivers the next message, in its turn: behind what the station has sent meanwhile. */
  next(): Promise<DeliveryAttempt> {
    if (this.#station.isClosed) return Promise.resolve('none')
    return new Promise(settle => this.#parts.lane.push({ kind: 'delivery', settle }, null))
  }

  /** Delivers one message. The session of a station that the app rejects is closed afterwards. */
  async serve(entry: DeliveryEntry): Promise<void> {
    let attempt: DeliveryAttempt = 'unready'
    try {
      attempt = await this.#deliverNext()
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
   * Delivers all that can be delivered, before a message that came later. Rejects with `RpcError` where the app or the disk
   * fails, or a message of the same transaction is in backoff: the later message must not overtake the stored ones.
   *
   * @param payload of the later message
   */
  async drain(payload: JsonText): Promise<void> {
    while (this.#backlog.has(this.#station.handshake.stationId)) {
      const attempt = await this.#deliverNext()
      if (attempt === 'none') this.#checkOrder(payload)
      if (attempt === 'none' || attempt === 'refused') return
      if (attempt === 'away' || attempt === 'unready')
        throw new RpcError('unavailable', 'notRun', 'earlier messages of the station are still stored')
    }
  }

  #checkOrder(payload: JsonText): void {
    const transaction = transactionOf(payload)
    if (transaction === null || !this.#blocked.has(transaction)) return
    throw new RpcError('exhausted', 'notRun', 'an earlier message of the transaction waits for its next attempt')
  }

  async #deliverNext(): Promise<DeliveryAttempt> {
    const { isClosed } = this.#station
    if (isClosed) return 'none'
    const message = await this.#nextMessage()
    if (message === null || message === 'unreadable') return message === null ? 'none' : 'unready'
    try {
      const attached = await this.#attach()
      if (attached !== 'accepted') return this.#restart(attached)
      return await this.#deliver(message)
    } catch (error) {
      this.#restart('away')
      throw error
    }
  }

  async #attach(): Promise<'accepted' | 'away' | 'refused' | 'unready'> {
    if (this.#parts.app.identifier !== null) return 'accepted'
    const attempt = await this.#parts.attaching.attachUnprompted()
    if (attempt === 'accepted' || attempt === 'away' || attempt === 'refused') return attempt
    return 'unready'
  }

  /** The first message that is due and not blocked. At the end of a round the next one begins with the oldest message. */
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
      const page = await this.#backlog.pendingOf(stationId, this.#afterSeq, this)
      if (page === null) return this.#restart('unreadable')
      if (page.length === 0) {
        // What was delivered is gone: what came meanwhile was read, too.
        this.#backlog.onRound(stationId, this.#dueAt)
        return this.#restart(null)
      }
      this.#page = [...page]
    }
  }

  #restart<Result>(result: Result): Result {
    this.#page = []
    this.#afterSeq = 0
    this.#dueAt = Infinity
    return result
  }

  #isBlocked(message: StoredMessage): boolean {
    const { nextAttemptAt } = message
    const transaction = ofTransaction(message)
    if (transaction !== null && this.#blocked.has(transaction)) return true
    if (nextAttemptAt <= this.#station.world.date().getTime()) return false
    this.#block(transaction, nextAttemptAt)
    return true
  }

  #block(transaction: string | null, dueAt: number): void {
    if (transaction !== null) this.#blocked.add(transaction)
    this.#dueAt = Math.min(this.#dueAt, dueAt)
  }

  async #deliver(message: StoredMessage): Promise<DeliveryAttempt> {
    const backlog = this.#backlog
    // The reply to an attempt from before it was stored has come meanwhile.
    if (backlog.isTaken(message)) return await this.#onDelivered(message)
    const attempts = Math.max(message.attempts, backlog.isOlderThanProcess(message) ? 1 : 0)
    try {
      const reply = await this.#perform(message, attempts)
      if (reply.status === 'failure') return await this.#onRaised(message, attempts + 1, 'the app aborted the action')
      await this.#tellOfId(message, this.#onReply(message, reply))
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
    const { id, action, payload, key, storedAt } = message
    const form = this.#formOf(message)
    const minted = mintedIdOf(message)
    const extras = {
      ...(attempts > 0 && { attempt: attempts + 1 }),
      ...(minted !== null && { transactionId: minted }),
      storedAt: new Date(storedAt).toISOString(),
    }
    const data = performData({ kind: 'call', id, action, payload }, form, key, extras)
    return this.#parts.app.perform(data, this.#station.closed)
  }

  #formOf({ version }: StoredMessage) {
    return { granular: this.#station.settings.granularActions, version: versions[version].number }
  }

  /**
   * The Ack has nobody to go to: the station was told that all is well.
   *
   * @returns the transaction id in it, as JSON text; `null` if there is none
   */
  #onReply(message: StoredMessage, { transmissions, disconnect }: CommandReply): string | null {
    const { action } = message
    const { answer, others } = readReply(transmissions, message.id)
    this.#parts.messages.take(others, disconnect)
    if (answer === null) return null
    const status = answer.kind === 'callResult' ? tokenStatusOf(answer.payload) : answer.code
    if (status !== null && status !== 'Accepted') this.#warnOfStatus(action, ofTransaction(message), status)
    return answer.kind === 'callResult' ? transactionIdOf(answer.payload) : null
  }

  #warnOfStatus(action: string, transaction: string | null, status: string): void {
    const { who, world } = this.#station
    world.once(
      'outbox answer',
      { ...who, action, transaction, status },
      notAcceptedText,
      `${who.station} ${transaction}`,
    )
  }

  /** The station keeps the transaction id that it was given. An app that has booked another one has to know both. */
  async #tellOfId(message: StoredMessage, given: string | null): Promise<void> {
    const minted = mintedIdOf(message)
    if (minted === null || given === null || given === String(minted)) return
    const { id, action, key } = message
    const { who, world, closed } = this.#station
    const fields = { ...who, transactionId: minted, ackTransactionId: given }
    world.once('transaction id', { ...fields, key }, otherIdText, `${who.station} ${minted}`)
    const payload = `{"key":${jsonText(key)},"transactionId":${minted},"ackTransactionId":${given}}` as JsonText
    const outcome = { kind: 'error', id, request: action, late: false, failure: null, ...otherId, payload } as const
    try {
      await this.#parts.app.perform(outcomeData(outcome, this.#formOf(message), who.sid), closed)
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      warnOfError(this.#station, 'error', error)
      // The message itself has run: it is performed again, with `attempt`, until the app has both.
      if (error.code !== 'application') throw new RpcError(error.code, 'unknown', error.message, { cause: error })
    }
  }

  async #onDelivered(message: StoredMessage): Promise<DeliveryAttempt> {
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

  async #onRaised(message: StoredMessage, attempts: number, reason: string): Promise<DeliveryAttempt> {
    const { settings, world } = this.#station
    const now = world.date().getTime()
    if (now - message.storedAt >= settings.outboxTtlMs) {
      await this.#backlog.deadLetter(message, reason)
      return 'failed'
    }
    const nextAttemptAt = now + Math.min(retry.leastMs * 2 ** (attempts - 1), retry.mostMs)
    this.#block(ofTransaction(message), nextAttemptAt)
    await this.#backlog.failed(message, attempts, nextAttemptAt, reason)
    return 'failed'
  }
}

/** As JSON text; that of a start is the one that the station was given. */
function ofTransaction(message: StoredMessage): string | null {
  return mintedIdOf(message)?.toString() ?? transactionOf(message.payload)
}

const otherId = {
  code: 'TransactionIdMismatch',
  message: 'The Charging Station has the transactionId that the bridge gave it, not the one in the Ack',
}
const otherIdText =
  'the app has acked a stored StartTransaction with another transactionId than the station has: take the transactionId from the data of the action'
const notAcceptedText =
  'the app has answered a stored transaction message with another status than Accepted, and the station was told Accepted before: deal with the transaction by hand'
