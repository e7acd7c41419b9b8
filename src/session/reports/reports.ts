/**
 * The parts that a station has sent of its reports, until each report is whole or times out.
 *
 * Takes parts in the order in which they go to the app. Nothing is lost: a part that does not fit, or that cannot be
 * joined, goes to the app as it came.
 */
import { createHash } from 'node:crypto'
import { idKey, type Call } from '../../ocpp/frame.ts'
import {
  inOrder,
  isComplete,
  joinedPayload,
  missingOf,
  reportPartOf,
  type ReportPart,
  type ReportRow,
  type ReportRows,
} from '../../ocpp/reports.ts'
import type { Station } from '../station.ts'

/** A report joined from its parts. */
export type Whole = {
  /** The latest part's CALL, with the payload of all parts. */
  readonly call: Call
  /** How many parts there are. */
  readonly parts: number
  /** The `seqNo`s missing below the highest one. */
  readonly missing: readonly number[]
  /** `false` if a part is missing, or the last one has not come. */
  readonly complete: boolean
}

/**
 * - `raw`: not a part, a whole report in one message, or a part that cannot be joined: performed as it came
 * - `full`: a part beyond the limits: performed as it came
 * - `part`: kept and performed later
 * - `settled`: a retry of the last part of the latest report performed
 * - `whole`: the last missing part; its report has to be settled
 */
export type Taken =
  | {
      readonly kind: 'raw' | 'full' | 'part' | 'settled'
      /** What was collected under the same `requestId`, abandoned now: to be performed first. */
      readonly abandoned: Whole | null
    }
  | { readonly kind: 'whole'; readonly whole: Whole }

/** The parts of one report, by what makes two parts the same: the number, or else the text. */
type Collection = {
  readonly row: ReportRow
  readonly parts: Map<number | string, ReportPart>
  latest: Call
  timer: NodeJS.Timeout | null
  /** The whole report while it is being performed, until it is settled. */
  performing: Whole | null
}

/** Limits for one station. An app takes 4 MiB in one RPC unless it is configured otherwise. */
const limits = { reports: 16, partsOfEach: 1_000, bytes: 3 * 1024 * 1024 }

export class Reports {
  readonly #station: Pick<Station, 'after'>
  readonly #rows: ReportRows
  readonly #timeoutMs: number
  readonly #onTimeout: (whole: Whole) => void
  readonly #collections = new Map<string, Collection>()
  #bytes = 0
  /** The last part of the report settled last: a station that has no answer sends it again under the same id. */
  #settled: string | null = null

  /** @param onTimeout takes a report that has timed out and is no longer kept here */
  constructor(station: Pick<Station, 'after'>, rows: ReportRows, timeoutMs: number, onTimeout: (whole: Whole) => void) {
    this.#station = station
    this.#rows = rows
    this.#timeoutMs = timeoutMs
    this.#onTimeout = onTimeout
  }

  take(call: Call): Taken {
    const row = this.#rows.get(call.action)
    const part = row === undefined ? null : reportPartOf(row, call.payload)
    if (row === undefined || part === null) return { kind: 'raw', abandoned: null }
    const key = `${call.action} ${part.requestId}`
    const begun = this.#collections.get(key)
    if (begun === undefined && this.#settled === retryKeyOf(call)) return { kind: 'settled', abandoned: null }
    const before = begun !== undefined && beginsAnother(begun, part) ? this.#abandon(key) : null
    const collection = this.#collections.get(key)
    const kind = this.#kindOf(part, collection)
    const abandoned = before ?? (kind === 'full' ? this.#abandon(key) : null)
    if (kind !== 'part') return { kind, abandoned }
    const whole = this.#add(key, part, collection ?? newCollection(row, call), call)
    return whole === null ? { kind, abandoned } : { kind: 'whole', whole }
  }

  /**
   * Ends what a `whole` began.
   *
   * @param isTaken whether the app has the report. If not, its parts are kept until the station sends the last one
   * again, or the report times out.
   */
  settle(whole: Whole, isTaken: boolean): void {
    for (const [key, collection] of this.#collections) {
      if (collection.performing !== whole) continue
      collection.performing = null
      if (!isTaken) return this.#restart(key, collection)
      this.#settled = retryKeyOf(collection.latest)
      this.#remove(key, collection)
    }
  }

  /** Removes and returns everything collected, at the end of the session, when no report is left to be settled. */
  takeAll(): Whole[] {
    return [...this.#collections.keys()].flatMap(key => this.#abandon(key) ?? [])
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

  /** @returns the report, if this part was the last one missing */
  #add(key: string, part: ReportPart, collection: Collection, call: Call): Whole | null {
    const { parts } = collection
    this.#bytes += bytesOf(part) - bytesOf(parts.get(keyOf(part)))
    // Behind the others even if it came before: a repeated part takes its latest place.
    parts.delete(keyOf(part))
    parts.set(keyOf(part), part)
    collection.latest = call
    this.#collections.set(key, collection)
    this.#restart(key, collection)
    if (!isComplete(inOrder(parts.values()))) return null
    stop(collection)
    return (collection.performing = wholeOf(collection))
  }

  /** Restarts the timeout for the next part. */
  #restart(key: string, collection: Collection): void {
    stop(collection)
    collection.timer = this.#station.after(this.#timeoutMs, () => {
      const whole = this.#abandon(key)
      if (whole !== null) this.#onTimeout(whole)
    })
  }

  #abandon(key: string): Whole | null {
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
  return { row, parts: new Map(), latest: call, timer: null, performing: null }
}

/**
 * Whether a part belongs to the next report with the same `requestId`: it follows the end, is whole by itself, or has
 * the number of a different part, which it would overwrite.
 */
function beginsAnother({ parts }: Collection, part: ReportPart): boolean {
  if (part.seqNo === null) return !parts.has(keyOf(part)) && isComplete([...parts.values()])
  const before = parts.get(part.seqNo)
  return (part.seqNo === 0 && part.isLast) || (before !== undefined && before.payload !== part.payload)
}

/** The content alone is not enough: a second report may equal the first. Payloads have no bound, so they are hashed. */
function retryKeyOf({ id, action, payload }: Call): string {
  const content = createHash('sha256').update(`${action}\n${payload}`).digest('base64')
  return `${idKey(id)} ${content}`
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
