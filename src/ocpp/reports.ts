/**
 * Reports that come in parts: which they are, one row an action, and how the parts of one become one payload.
 *
 * Pure: no I/O, no clock. Imports nothing outside `ocpp/`. Payloads are joined as the text they came in.
 * Spec: OCPP 2.0.1 and 2.1 Part 2, the messages of those names; they go on until `tbc` ("to be continued") is false.
 */
import { membersOf, parseObject, type JsonText } from './json.ts'

export type ReportRow = {
  /** Whether the parts have a `seqNo`, from 0 on; those that have none go by the order in which they come. */
  readonly isNumbered: boolean
  /**
   * What becomes one of the parts: a list or a string of theirs that goes on from part to part, all else being the
   * first one's; or nothing, and they are kept side by side as they came.
   */
  readonly joins: 'list' | 'string' | 'nothing'
  /** Where the whole has what was joined. */
  readonly member: string
}

/** By action. */
export type ReportRows = ReadonlyMap<string, ReportRow>

export const reports2x: ReportRows = new Map([
  ['NotifyReport', { isNumbered: true, joins: 'list', member: 'reportData' }],
  ['NotifyMonitoringReport', { isNumbered: true, joins: 'list', member: 'monitor' }],
  ['NotifyCustomerInformation', { isNumbered: true, joins: 'string', member: 'data' }],
  ['NotifyDisplayMessages', { isNumbered: false, joins: 'list', member: 'messageInfo' }],
  // Each part has an `evseId` and a `chargingLimitSource` of its own.
  ['ReportChargingProfiles', { isNumbered: false, joins: 'nothing', member: 'reports' }],
])

export type ReportPart = {
  readonly requestId: number
  /** `null` in a report whose parts have no numbers. */
  readonly seqNo: number | null
  readonly isLast: boolean
  readonly payload: JsonText
}

/** Reads a part; `null` for one that cannot be joined to others, for what joining needs is missing or of another type. */
export function reportPartOf(row: ReportRow, payload: JsonText): ReportPart | null {
  const { requestId, tbc, seqNo, [row.member]: piece } = parseObject(payload)
  if (!isInteger(requestId) || !isPiece(row, piece) || !(isAbsent(tbc) || typeof tbc === 'boolean')) return null
  const common = { requestId, isLast: tbc !== true, payload }
  if (!row.isNumbered) return { ...common, seqNo: null }
  return isInteger(seqNo) && seqNo >= 0 ? { ...common, seqNo } : null
}

/** The parts in order: by their numbers, or as they are where they have none. */
export function inOrder(parts: Iterable<ReportPart>): ReportPart[] {
  return [...parts].sort((one, other) => (one.seqNo ?? 0) - (other.seqNo ?? 0))
}

/** @param parts in order */
export function isComplete(parts: readonly ReportPart[]): boolean {
  return parts.at(-1)?.isLast === true && missingOf(parts).length === 0
}

/**
 * The numbers that are not there, below the highest that is.
 *
 * @param parts in order, no two with the same number
 */
export function missingOf(parts: readonly ReportPart[]): number[] {
  const highest = parts.at(-1)?.seqNo ?? 0
  const known = new Set(parts.map(({ seqNo }) => seqNo ?? 0))
  return Array.from({ length: highest }, (_, seqNo) => seqNo).filter(seqNo => !known.has(seqNo))
}

/**
 * The payload of all parts together, which says `"tbc":false`, and `"seqNo":0` where the parts have numbers. Items and
 * characters are those of the parts, byte for byte.
 *
 * - `list`, `string`: the first part's payload, with the list or the string of all parts
 * - `nothing`: `{"requestId":…,"tbc":false,"reports":[…]}`, with each part's payload as it came
 *
 * @param parts one at least, in order
 */
export function joinedPayload(row: ReportRow, parts: readonly ReportPart[]): JsonText {
  const payloads = parts.map(({ payload }) => payload)
  const first = membersOf(payloads[0] ?? '{}')
  if (row.joins === 'nothing') {
    const requestId = first.get('requestId') ?? 'null'
    return `{"requestId":${requestId},"tbc":false,"${row.member}":[${payloads.join(',')}]}` as JsonText
  }
  const pieces = payloads.flatMap(payload => membersOf(payload).get(row.member) ?? []).filter(text => text !== 'null')
  const members = new Map<string, string>(first)
  if (pieces.length > 0) members.set(row.member, joins[row.joins](pieces.map(text => text.slice(1, -1))))
  members.set('tbc', 'false')
  if (row.isNumbered) members.set('seqNo', '0')
  return `{${[...members].map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}` as JsonText
}

/** From what is between the brackets, or the quotes, of each part. */
const joins = {
  list: (pieces: readonly string[]) => `[${pieces.filter(piece => piece.trim() !== '').join(',')}]`,
  // An escape ends within its part, and the halves of a surrogate pair that was cut meet again.
  string: (pieces: readonly string[]) => `"${pieces.join('')}"`,
}

function isPiece({ joins }: ReportRow, piece: unknown): boolean {
  switch (joins) {
    case 'list':
      return isAbsent(piece) || Array.isArray(piece)
    case 'string':
      return isAbsent(piece) || typeof piece === 'string'
    case 'nothing':
      return true
  }
}

/** A `null` counts as left out: there are serializers that write one. */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value)
}
