/**
 * What is remembered of transaction messages across a station's connections, in memory: the answer that a message got, so
 * that a retry gets it again and the app is not asked twice, or how many attempts of an unanswered one may have reached
 * the app, so that the app can tell a retry.
 *
 * A station that has not seen the answer sends the message again, may keep its id, and may use another connection (OCPP-J
 * 1.6 errata 2025-04 §3.1, OCPP 2.1 Part 4 §4.1.4): a StartTransaction performed twice is two transactions.
 */
import { idKey, type Answer, type Call, type CallError, type CallResult } from '../../ocpp/frame.ts'
import type { StationId } from '../../translate/handshake.ts'
import { contentOf } from './digest.ts'

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
/** What a message costs beside its answer's text: its id has 255 characters at most. */
const messageBytes = 600

/** An answer without its id: the retry has its own. */
export type KeptAnswer = Omit<CallResult, 'id'> | Omit<CallError, 'id'>

/** How a message stands. */
export type TransactionOutcome<Kept = Answer> = {
  /** Attempts that may have reached the app. */
  readonly attempts: number
  /**
   * The app's answer or the silent one; `null` where the station got neither. A CALLERROR of the bridge's own is none: the
   * app has not booked the message, and a retry is performed.
   */
  readonly answer: Kept | null
}

type Message = {
  readonly stationId: StationId
  readonly key: string
  readonly content: string
  readonly attempts: number
  readonly answer: KeptAnswer | null
  readonly bytes: number
  readonly at: number
}

const neverSeen: TransactionOutcome<KeptAnswer> = { attempts: 0, answer: null }

export class Transactions {
  readonly #now: () => number
  readonly #limits: TransactionLimits
  /** Oldest first. */
  readonly #messages = new Set<Message>()
  readonly #stations = new Map<StationId, Map<string, Message>>()
  #bytes = 0

  /** @param now monotonic, in ms */
  constructor(now: () => number, limits = usualLimits) {
    this.#now = now
    this.#limits = limits
  }

  get size(): number {
    return this.#messages.size
  }

  /** How the same message, by id and content, stood when it was last recorded. */
  find(stationId: StationId, call: Call): TransactionOutcome<KeptAnswer> {
    this.#expire()
    const message = this.#stations.get(stationId)?.get(idKey(call.id))
    return message !== undefined && message.content === contentOf(call) ? message : neverSeen
  }

  record(stationId: StationId, call: Call, { attempts, answer }: TransactionOutcome): void {
    // Nothing is new: what is known of an earlier try still holds.
    if (attempts === 0 && answer === null) return
    this.#expire()
    const key = idKey(call.id)
    const before = this.#stations.get(stationId)?.get(key)
    if (before !== undefined) this.#delete(before)
    const text =
      answer === null ? '' : answer.kind === 'callResult' ? answer.payload : answer.description + answer.details
    const answerBytes = Buffer.byteLength(text)
    // Too large to keep: a retry is performed again, and the app is told that it is one.
    const isKept = messageBytes + answerBytes <= this.#limits.ofStation.bytes
    this.#add({
      stationId,
      key: flat(key),
      content: contentOf(call),
      attempts,
      answer: answer !== null && isKept ? kept(answer) : null,
      bytes: messageBytes + (isKept ? answerBytes : 0),
      at: this.#now(),
    })
  }

  #add(message: Message): void {
    const { ofStation, bytes } = this.#limits
    const ofThis = this.#stations.get(message.stationId) ?? new Map<string, Message>()
    this.#messages.add(message)
    this.#stations.set(message.stationId, ofThis.set(message.key, message))
    this.#bytes += message.bytes
    while (ofThis.size > ofStation.messages || sumOf(ofThis) > ofStation.bytes) this.#evictFrom(ofThis.values())
    while (this.#bytes > bytes) this.#evictFrom(this.#messages)
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
    this.#messages.delete(message)
    this.#bytes -= message.bytes
    const ofStation = this.#stations.get(message.stationId)
    ofStation?.delete(message.key)
    if (ofStation?.size === 0) this.#stations.delete(message.stationId)
  }
}

function kept(answer: Answer): KeptAnswer {
  if (answer.kind === 'callResult') return { kind: 'callResult', payload: flat(answer.payload) }
  const { kind, code, description, details } = answer
  return { kind, code: flat(code), description: flat(description), details: flat(details) }
}

/** A copy: a slice of a text keeps the whole text alive, which is a whole message. */
function flat<Text extends string>(text: Text): Text {
  return Buffer.from(text).toString() as Text
}

function sumOf(messages: ReadonlyMap<string, Message>): number {
  let sum = 0
  for (const { bytes } of messages.values()) sum += bytes
  return sum
}
