/**
 * What a station has sent of reports that come in parts, until each is whole, or its time is over.
 *
 * Parts are to be taken in the order in which they go to the app. Nothing is lost: what does not fit, and what cannot be
 * joined, goes to the app as it is.
 */
import { idKey, type Call } from '../ocpp/frame.ts'
import { contentOf } from './content.ts'
import {
  inOrder,
  isComplete,
  joinedPayload,
  missingOf,
  reportPartOf,
  type ReportPart,
  type ReportRow,
  type ReportRows,
} from '../ocpp/reports.ts'

/** The parts of a report as one. */
export type Whole = {
  /** The latest part's CALL, with the payload of all parts. */
  readonly call: Call
  /** How many there are. */
  readonly parts: number
  /** The `seqNo`s that are not there, below the highest that is. */
  readonly missing: readonly number[]
  /** Not so if one is missing, or the end has not come. */
  readonly complete: boolean
}

/**
 * - `raw`: no part, a whole report in one, or what cannot be joined: it is performed as it came
 * - `full`: the same, for a part that is too much
 * - `part`: kept, and performed later
 * - `settled`: the last part of the report that was performed last, again
 * - `whole`: the part that was still missing; to be settled
 */
export type Taken =
  | {
      readonly kind: 'raw' | 'full' | 'part' | 'settled'
      /** What was collected under the same `requestId` and is now done with: to be performed first. */
      readonly givenUp: Whole | null
    }
  | { readonly kind: 'whole'; readonly whole: Whole }

/** The parts of one report, by what makes two of them the same: the number, or else the text. */
type Collection = {
  readonly row: ReportRow
  readonly parts: Map<number | string, ReportPart>
  latest: Call
  timer: NodeJS.Timeout | null
  /** What was given out, until it is settled. */
  given: Whole | null
}

/** What one station may have collected. An app takes no more than 4 MiB in one RPC unless it is told to. */
const limits = { reports: 16, partsOfEach: 1_000, bytes: 3 * 1024 * 1024 }

export class Reports {
  readonly #rows: ReportRows
  readonly #timeoutMs: number
  readonly #onTimeout: (whole: Whole) => void
  readonly #collections = new Map<string, Collection>()
  #bytes = 0
  /** The last part of the report that was settled last: a station without an answer sends it again under its id. */
  #settled: string | null = null

  /** @param onTimeout takes a report whose time is over; it is not kept here any longer */
  constructor(rows: ReportRows, timeoutMs: number, onTimeout: (whole: Whole) => void) {
    this.#rows = rows
    this.#timeoutMs = timeoutMs
    this.#onTimeout = onTimeout
  }

  take(call: Call): Taken {
    const row = this.#rows.get(call.action)
    const part = row === undefined ? null : reportPartOf(row, call.payload)
    if (row === undefined || part === null) return { kind: 'raw', givenUp: null }
    const key = `${call.action} ${part.requestId}`
    const begun = this.#collections.get(key)
    if (begun === undefined && this.#settled === retryKeyOf(call)) return { kind: 'settled', givenUp: null }
    const before = begun !== undefined && beginsAnother(begun, part) ? this.#giveUp(key) : null
    const collection = this.#collections.get(key)
    const kind = this.#kindOf(part, collection)
    const givenUp = before ?? (kind === 'full' ? this.#giveUp(key) : null)
    if (kind !== 'part') return { kind, givenUp }
    const whole = this.#add(key, part, collection ?? newCollection(row, call), call)
    return whole === null ? { kind, givenUp } : { kind: 'whole', whole }
  }

  /**
   * Ends what a `whole` began.
   *
   * @param isTaken by the app. If not, the parts are kept: the station may send the last one again, or time ends it.
   */
  settle(whole: Whole, isTaken: boolean): void {
    for (const [key, collection] of this.#collections) {
      if (collection.given !== whole) continue
      collection.given = null
      if (!isTaken) return this.#restart(key, collection)
      this.#settled = retryKeyOf(collection.latest)
      this.#remove(key, collection)
    }
  }

  /** Takes out all that is there, at the end of the session, when nothing is left to be settled. */
  takeAll(): Whole[] {
    return [...this.#collections.keys()].flatMap(key => this.#giveUp(key) ?? [])
  }

  #kindOf(part: ReportPart, collection: Collection | undefined): 'raw' | 'full' | 'part' {
    if (collection !== undefined) return this.#fits(part, collection) ? 'part' : 'full'
    if (part.isLast && (part.seqNo ?? 0) === 0) return 'raw'
    return this.#collections.size < limits.reports && this.#fits(part, null) ? 'part' : 'full'
  }

  #fits(part: ReportPart, collection: Collection | null): boolean {
    if (this.#bytes - bytesOf(collection?.parts.get(keyOf(part))) + bytesOf(part) > limits.bytes) return false
    return (part.seqNo ?? 0) < limits.partsOfEach && (collection?.parts.size ?? 0) < limits.partsOfEach
  }

  /** @returns the report, if that was the part that was missing */
  #add(key: string, part: ReportPart, collection: Collection, call: Call): Whole | null {
    const { parts } = collection
    this.#bytes += bytesOf(part) - bytesOf(parts.get(keyOf(part)))
    // Behind the others, also if it was there: the order is that of the latest ones.
    parts.delete(keyOf(part))
    parts.set(keyOf(part), part)
    collection.latest = call
    this.#collections.set(key, collection)
    this.#restart(key, collection)
    if (!isComplete(inOrder(parts.values()))) return null
    stop(collection)
    return (collection.given = wholeOf(collection))
  }

  /** From now on the next part has its time again. */
  #restart(key: string, collection: Collection): void {
    stop(collection)
    collection.timer = setTimeout(() => {
      const whole = this.#giveUp(key)
      if (whole !== null) this.#onTimeout(whole)
    }, this.#timeoutMs)
  }

  #giveUp(key: string): Whole | null {
    const collection = this.#collections.get(key)
    if (collection === undefined) return null
    this.#remove(key, collection)
    return wholeOf(collection)
  }

  #remove(key: string, collection: Collection): void {
    stop(collection)
    this.#collections.delete(key)
    for (const part of collection.parts.values()) this.#bytes -= bytesOf(part)
  }
}

function newCollection(row: ReportRow, call: Call): Collection {
  return { row, parts: new Map(), latest: call, timer: null, given: null }
}

/**
 * Whether a part is not of this report, but of the next one with the same `requestId`: it follows the end, is whole by
 * itself, or has the number of another part, which would be lost.
 */
function beginsAnother({ parts }: Collection, part: ReportPart): boolean {
  if (part.seqNo === null) return !parts.has(keyOf(part)) && isComplete([...parts.values()])
  const before = parts.get(part.seqNo)
  return (part.seqNo === 0 && part.isLast) || (before !== undefined && before.payload !== part.payload)
}

/** The same content alone may be another report of a station that has nothing new to say. */
function retryKeyOf(call: Call): string {
  return `${idKey(call.id)} ${contentOf(call)}`
}

function wholeOf({ row, parts, latest }: Collection): Whole {
  const all = inOrder(parts.values())
  const call = { ...latest, payload: joinedPayload(row, all) }
  return { call, parts: all.length, missing: missingOf(all), complete: isComplete(all) }
}

function stop(collection: Collection): void {
  if (collection.timer !== null) clearTimeout(collection.timer)
  collection.timer = null
}

function keyOf({ seqNo, payload }: ReportPart): number | string {
  return seqNo ?? payload
}

function bytesOf(part: ReportPart | undefined): number {
  return part === undefined ? 0 : Buffer.byteLength(part.payload)
}
