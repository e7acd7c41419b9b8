/**
 * What is remembered of transaction messages across a station's connections: the answer that a message got, so
 * that a retry gets it again and the app is not asked twice, or how many attempts of an unanswered one may have reached
 * the app, so that the app can tell a retry.
 *
 * A station that has not seen the answer sends the message again, under its id or a new one, and may use another
 * connection (OCPP-J 1.6 errata 2025-04 §3.1, OCPP 2.1 Part 4 §4.1.4): a StartTransaction performed twice is two
 * transactions. So a message is known by its key, and the whole content must be the same. All of it is in memory; the
 * answers to StartTransactions outlive the process where there is a durable memory.
 */
import type { Answer, CallError, CallResult } from '../../ocpp/frame.ts'
import { copyOf, membersOf } from '../../ocpp/json.ts'
import type { StationId } from '../../translate/handshake.ts'
import type { Tracked } from './digest.ts'

export type TransactionLimits = {
  readonly lifeMs: number
  /** For each station. */
  readonly ofStation: { readonly messages: number; readonly bytes: number }
  /** For all stations together. Answered messages are evicted before unanswered ones, here and there. */
  readonly bytes: number
}

/** A station waits for each answer, so it can have missed only its last ones; this leaves room for ten thousand. */
const usualLimits: TransactionLimits = {
  lifeMs: 15 * 60_000,
  ofStation: { messages: 8, bytes: 64 * 1024 },
  bytes: 64 * 1024 * 1024,
}
/** What a message costs beside its answer's text, with its key and digest. */
const messageBytes = 600

/** An answer without its id: the retry has its own. */
export type KeptAnswer = Omit<CallResult, 'id'> | Omit<CallError, 'id'>

/** How a message stands. */
export type TransactionOutcome<Kept = Answer> = {
  /** Attempts that may have reached the app. */
  readonly attempts: number
  /**
   * The app's answer or the silent one; `null` where the station got neither. A CALLERROR of the bridge's own is none:
   * the app has not booked the message, and a retry is performed.
   */
  readonly answer: Kept | null
}

/** The answer to a StartTransaction, as the last process left it. */
export type KeptStart = Pick<Tracked, 'stationId' | 'key' | 'content'> & { readonly answer: KeptAnswer }

/** The answers to StartTransactions that outlive the process. Nobody waits for a write. */
export interface DurableStarts {
  /** What the last process has left, oldest first; empty until it is open. */
  readonly starts: readonly KeptStart[]
  /** Calls the listener when what the last process has left is there: at once, or later. */
  onOpened(listener: () => void): void
  keepStart(start: KeptStart): void
  /** @param transactionId of a transaction that has ended, as JSON has it */
  dropStart(stationId: StationId, transactionId: string): void
}

type Message = Pick<Tracked, 'stationId' | 'key' | 'content' | 'transaction'> & {
  /** The text of the transaction's id, for a message that must not be replayed once the transaction has ended. */
  readonly of: string | null
  readonly attempts: number
  readonly answer: KeptAnswer | null
  readonly bytes: number
  readonly at: number
}

/** One station's messages by key, oldest first, and their bytes. */
type OfStation = { readonly messages: Map<string, Message>; bytes: number }

const neverSeen: TransactionOutcome<KeptAnswer> = { attempts: 0, answer: null }

export class Transactions {
  readonly #now: () => number
  #durable: DurableStarts | null
  readonly #limits: TransactionLimits
  /** Oldest first. */
  readonly #messages = new Set<Message>()
  readonly #stations = new Map<StationId, OfStation>()
  #bytes = 0

  /** @param now monotonic, in ms */
  constructor(now: () => number, durable: DurableStarts | null = null, limits = usualLimits) {
    this.#now = now
    this.#limits = limits
    this.#durable = durable
    durable?.onOpened(() => this.#restore(durable))
  }

  get size(): number {
    return this.#messages.size
  }

  /**
   * How the same message stood when it was last recorded. Other content under the same key may be another fact after
   * all, which the app can tell: it counts as another message.
   */
  find({ stationId, key, content }: Pick<Tracked, 'stationId' | 'key' | 'content'>): TransactionOutcome<KeptAnswer> {
    this.#expire()
    const message = this.#stations.get(stationId)?.messages.get(key)
    return message?.content === content ? message : neverSeen
  }

  record(tracked: Tracked, { attempts, answer }: TransactionOutcome<Answer | KeptAnswer>): void {
    // Nothing is new: what is known of an earlier try still holds.
    if (attempts === 0 && answer === null) return
    this.#expire()
    const { stationId, key, content, transaction, of, ended } = tracked
    const before = this.#stations.get(stationId)?.messages.get(key)
    if (before !== undefined) this.#delete(before)
    if (ended !== null) {
      this.#forget(stationId, ended)
      if (transaction === 'ends') this.#durable?.dropStart(stationId, ended)
    }
    const text =
      answer === null ? '' : answer.kind === 'callResult' ? answer.payload : answer.description + answer.details
    const answerBytes = Buffer.byteLength(text)
    const limits = this.#limits
    // Too large to keep: a retry is performed again, and the app is told that it is one.
    const isKept = messageBytes + answerBytes <= limits.ofStation.bytes
    const bytes = messageBytes + (isKept ? answerBytes : 0)
    const keptAnswer = answer !== null && isKept ? kept(answer) : null
    if (keptAnswer !== null && transaction === 'begins')
      this.#durable?.keepStart({ stationId, key, content, answer: keptAnswer })
    const message = {
      stationId,
      key: copyOf(key),
      content,
      transaction,
      of: ended !== null || of === null ? null : copyOf(of),
      attempts,
      answer: keptAnswer,
      bytes,
      at: this.#now(),
    }
    const ofStation = this.#stations.get(stationId) ?? { messages: new Map<string, Message>(), bytes: 0 }
    this.#messages.add(message)
    this.#stations.set(stationId, ofStation)
    ofStation.messages.set(message.key, message)
    ofStation.bytes += bytes
    this.#bytes += bytes
    while (ofStation.messages.size > limits.ofStation.messages || ofStation.bytes > limits.ofStation.bytes)
      this.#evictFrom(ofStation.messages.values())
    while (this.#bytes > limits.bytes) this.#evictFrom(this.#messages)
  }

  /** Adds what the last process has left, except what this one knows better. */
  #restore(durable: DurableStarts): void {
    // These are kept already.
    this.#durable = null
    for (const { answer, ...start } of durable.starts) {
      const known = this.find(start)
      // An attempt without an answer is no better than the answer that the last process got.
      if (known.answer === null)
        this.record(
          { ...start, transaction: 'begins', of: null, ended: null },
          { attempts: known.attempts + 1, answer },
        )
    }
    this.#durable = durable
  }

  /**
   * A message that comes after its transaction's end says something else, even with the same content: of a station
   * whose clock stands still and that uses its ids again, for one. The end itself may be retried.
   */
  #forget(stationId: StationId, transactionId: string): void {
    for (const message of this.#stations.get(stationId)?.messages.values() ?? []) {
      const { transaction, answer } = message
      if (answer === null) continue
      const begun = transaction === 'begins' && answer.kind === 'callResult' ? membersOf(answer.payload) : null
      if ((begun?.get('transactionId') ?? message.of) === transactionId) this.#delete(message)
    }
  }

  /** Evicts the oldest answered message, or the oldest where none is answered. */
  #evictFrom(messages: Iterable<Message>): void {
    let oldest: Message | null = null
    for (const message of messages) {
      oldest ??= message
      if (message.answer !== null) return this.#delete(message)
    }
    if (oldest !== null) this.#delete(oldest)
  }

  #expire(): void {
    const before = this.#now() - this.#limits.lifeMs
    for (const message of this.#messages) {
      if (message.at > before) return
      this.#delete(message)
    }
  }

  #delete(message: Message): void {
    const { stationId, key, bytes } = message
    this.#messages.delete(message)
    this.#bytes -= bytes
    const ofStation = this.#stations.get(stationId)
    if (ofStation === undefined) return
    ofStation.messages.delete(key)
    ofStation.bytes -= bytes
    if (ofStation.messages.size === 0) this.#stations.delete(stationId)
  }
}

function kept(answer: KeptAnswer): KeptAnswer {
  if (answer.kind === 'callResult') return { kind: 'callResult', payload: copyOf(answer.payload) }
  const { kind, code, description, details } = answer
  return { kind, code: copyOf(code), description: copyOf(description), details: copyOf(details) }
}
