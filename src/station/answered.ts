/**
 * The answers to transaction messages, kept so that a retry gets the same one again and the app is not asked twice.
 *
 * A station that has not seen the answer sends the message again, may keep its id, and may do so on another connection
 * (OCPP-J 1.6 errata 2025-04 §3.1, OCPP 2.1 Part 4 §4.1.4): a StartTransaction performed twice is two transactions.
 */
import { idKey, type Answer, type Call, type CallError, type CallResult } from '../ocpp/frame.ts'
import type { StationId } from '../translate/handshake.ts'
import { contentOf } from './content.ts'

export type AnsweredLimits = {
  readonly lifeMs: number
  /** For one station; a station that waits for each answer can miss only its last. */
  readonly ofStation: { readonly entries: number; readonly bytes: number }
  /** For all of them together, in bytes. */
  readonly bytes: number
}

/** A station waits for each answer, so it can have missed only its last ones; the rest leaves room for ten thousand. */
const usualLimits: AnsweredLimits = {
  lifeMs: 15 * 60_000,
  ofStation: { entries: 8, bytes: 64 * 1024 },
  bytes: 64 * 1024 * 1024,
}
/** What an entry costs beside its answer's text. */
const entryBytes = 400

/** An answer without its id: the retry has one of its own. */
export type KeptAnswer = Omit<CallResult, 'id'> | Omit<CallError, 'id'>

type Entry = {
  readonly stationId: StationId
  readonly key: string
  readonly content: string
  readonly answer: KeptAnswer
  readonly bytes: number
  readonly at: number
}

export class AnsweredCalls {
  readonly #limits: AnsweredLimits
  /** Oldest first: a new answer goes to the end. */
  readonly #entries = new Set<Entry>()
  readonly #stations = new Map<StationId, Map<string, Entry>>()
  #bytes = 0

  constructor(limits = usualLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#entries.size
  }

  /** The answer that the same CALL, by id and content, was given; `null` where there was none, or too long ago. */
  find(stationId: StationId, call: Call, now: number): KeptAnswer | null {
    this.#expire(now)
    const entry = this.#stations.get(stationId)?.get(idKey(call.id))
    return entry !== undefined && entry.content === contentOf(call) ? entry.answer : null
  }

  /** @param answer the app's, or the silent one: never a CALLERROR of the bridge's own, after which the app is asked */
  store(stationId: StationId, call: Call, answer: Answer, now: number): void {
    this.#expire(now)
    const key = idKey(call.id)
    const mine = this.#stations.get(stationId) ?? new Map<string, Entry>()
    const before = mine.get(key)
    if (before !== undefined) this.#delete(before)
    const text = answer.kind === 'callResult' ? answer.payload : `${answer.description}${answer.details}`
    const bytes = entryBytes + key.length + text.length
    const { entries, bytes: bytesOfStation } = this.#limits.ofStation
    if (bytes > bytesOfStation) return
    const entry = { stationId, key: flat(key), content: contentOf(call), answer: kept(answer), bytes, at: now }
    this.#entries.add(entry)
    this.#stations.set(stationId, mine.set(entry.key, entry))
    this.#bytes += bytes
    while (mine.size > entries || sumOf(mine) > bytesOfStation) this.#deleteOldest(mine.values())
    while (this.#bytes > this.#limits.bytes) this.#deleteOldest(this.#entries)
  }

  #expire(now: number): void {
    for (const entry of this.#entries) {
      if (now - entry.at < this.#limits.lifeMs) return
      this.#delete(entry)
    }
  }

  #deleteOldest(entries: Iterable<Entry>): void {
    for (const oldest of entries) return this.#delete(oldest)
  }

  #delete(entry: Entry): void {
    this.#entries.delete(entry)
    this.#bytes -= entry.bytes
    const mine = this.#stations.get(entry.stationId)
    mine?.delete(entry.key)
    if (mine?.size === 0) this.#stations.delete(entry.stationId)
  }
}

function kept(answer: Answer): KeptAnswer {
  if (answer.kind === 'callResult') return { kind: 'callResult', payload: flat(answer.payload) }
  const { kind, code, description, details } = answer
  return { kind, code: flat(code), description: flat(description), details: flat(details) }
}

/** A copy: a piece of a text keeps all of the text alive, and the text is a whole message. */
function flat<Text extends string>(text: Text): Text {
  return Buffer.from(text).toString() as Text
}

function sumOf(entries: ReadonlyMap<string, Entry>): number {
  let sum = 0
  for (const { bytes } of entries.values()) sum += bytes
  return sum
}
