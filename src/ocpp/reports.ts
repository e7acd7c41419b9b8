/**
 * Multi-part reports: one row per action, and how the parts of a report are joined into one payload.
 *
 * Pure: no I/O, no clock. Imports nothing outside `ocpp/`. Payloads are joined as text, byte for byte.
 * Spec: OCPP 2.0.1 and 2.1 Part 2, the messages of these names. A report ends with the part whose `tbc` ("to be
 * continued") is false.
 */
import { membersOf, parseObject, type JsonText } from './json.ts'

export type ReportRow = {
  /** Whether the parts have a `seqNo`, starting at 0. Parts without one are ordered by arrival. */
  readonly isNumbered: boolean
  /**
   * `list`, `string`: that member is concatenated over all parts, and the other members are those of the first part.
   * `nothing`: the payloads of the parts are listed unchanged.
   */
  readonly joins: 'list' | 'string' | 'nothing'
  /** The member of the joined payload with the result. */
  readonly member: string
}

/** By action. */
export type ReportRows = ReadonlyMap<string, ReportRow>

export const reports2x: ReportRows = new Map([
  ['NotifyReport', { isNumbered: true, joins: 'list', member: 'reportData' }],
  ['NotifyMonitoringReport', { isNumbered: true, joins: 'list', member: 'monitor' }],
  ['NotifyCustomerInformation', { isNumbered: true, joins: 'string', member: 'data' }],
  ['NotifyDisplayMessages', { isNumbered: false, joins: 'list', member: 'messageInfo' }],
  // Each part has its own `evseId` and `chargingLimitSource`.
  ['ReportChargingProfiles', { isNumbered: false, joins: 'nothing', member: 'reports' }],
])

export type ReportPart = {
  readonly requestId: number
  /** `null` in a report without part numbers. */
  readonly seqNo: number | null
  readonly isLast: boolean
  readonly payload: JsonText
}

/** Reads a part; `null` if a member needed for joining is missing or has the wrong type. */
export function reportPartOf(row: ReportRow, payload: JsonText): ReportPart | null {
  const { requestId, tbc, seqNo, [row.member]: piece } = parseObject(payload)
  if (!isInteger(requestId) || !isPiece(row, piece) || !(isAbsent(tbc) || typeof tbc === 'boolean')) return null
  const common = { requestId, isLast: tbc !== true, payload }
  if (!row.isNumbered) return { ...common, seqNo: null }
  return isInteger(seqNo) && seqNo >= 0 ? { ...common, seqNo } : null
}

/** The parts ordered by number, or by arrival if they have none. */
export function inOrder(parts: Iterable<ReportPart>): ReportPart[] {
  return [...parts].sort((one, other) => (one.seqNo ?? 0) - (other.seqNo ?? 0))
}

/** @param parts in order */
export function isComplete(parts: readonly ReportPart[]): boolean {
  return parts.at(-1)?.isLast === true && missingOf(parts).length === 0
}

/**
 * The missing numbers below the highest received one.
 *
 * @param parts in order, no two with the same number
 */
export function missingOf(parts: readonly ReportPart[]): number[] {
  const highest = parts.at(-1)?.seqNo ?? 0
  const known = new Set(parts.map(({ seqNo }) => seqNo ?? 0))
  return Array.from({ length: highest }, (_, seqNo) => seqNo).filter(seqNo => !known.has(seqNo))
}

/**
 * Joins the parts into one payload with `"tbc":false`, and `"seqNo":0` if the parts are numbered. Items and characters
 * are copied byte for byte.
 *
 * - `list`, `string`: the first part's payload, with the list or the string of all parts
 * - `nothing`: `{"requestId":…,"tbc":false,"reports":[…]}`, with the unchanged payload of each part
 *
 * @param parts at least one, in order
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

/** Joins the texts between the brackets or quotes of each part. */
const joins = {
  list: (pieces: readonly string[]) => `[${pieces.filter(piece => piece.trim() !== '').join(',')}]`,
  // No escape spans two parts, and a surrogate pair split between parts is whole again once they are joined.
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

/** `null` counts as absent, because some serializers write it. */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value)
}
