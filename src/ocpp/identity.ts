/**
 * Which fields tell one transaction message from another, whatever their message ids: some stations retry a message
 * under a new id, others count their ids from 1 after each start.
 *
 * Pure: no I/O, no clock. Imports nothing outside `ocpp/`.
 * Spec: OCPP 1.6 §4.7, §4.8, §4.10; OCPP 2.0.1 and 2.1 Part 2 E01 (TransactionEvent), J01 (MeterValues).
 */
import { isObject, membersOf, parseJson, type JsonText } from './json.ts'

export type Identity = {
  /** Without one of these, a message has its message id in its identity. `a.b`: the member `b` of the object `a`. */
  readonly required: readonly string[]
  readonly optional: readonly string[]
  /**
   * `begins`: the answer gives the transaction its id. `ends`: the message ends it. `event`: its `eventType` says so.
   */
  readonly transaction?: 'begins' | 'ends' | 'event'
  /** The field with the transaction's id. */
  readonly of?: string
}

/** The transaction that a message belongs to. */
export type OfTransaction = {
  /** The text of its id; `null` for a message outside transactions, or one that begins a transaction of 1.6. */
  readonly of: string | null
  /** The same for a message that ends the transaction; else `null`. */
  readonly ended: string | null
}

/** What a message says happened. */
export type Fact = {
  /** The identifying fields, without a line feed; white space and the order of members make no difference. */
  readonly text: string
  /** Whether `text` is enough to tell the fact from any other one of the station. */
  readonly isCertain: boolean
}

/** As `membersOf` reads them. */
type Members = ReadonlyMap<string, JsonText>

export const identities16: ReadonlyMap<string, Identity> = new Map<string, Identity>([
  [
    'StartTransaction',
    { required: ['connectorId', 'idTag', 'meterStart', 'timestamp'], optional: [], transaction: 'begins' },
  ],
  // Stops of several transactions may have the transactionId -1 (errata 2025-04 §3.18), or 0.
  [
    'StopTransaction',
    {
      required: ['transactionId', 'meterStop', 'timestamp'],
      optional: ['idTag'],
      transaction: 'ends',
      of: 'transactionId',
    },
  ],
  // Values outside a transaction have no transactionId.
  ['MeterValues', { required: ['connectorId', 'meterValue'], optional: ['transactionId'], of: 'transactionId' }],
])

export const identities2x: ReadonlyMap<string, Identity> = new Map<string, Identity>([
  // `offline` may change with a retry.
  [
    'TransactionEvent',
    {
      required: ['transactionInfo.transactionId', 'seqNo', 'timestamp'],
      optional: [],
      transaction: 'event',
      of: 'transactionInfo.transactionId',
    },
  ],
  // Sent outside transactions: there is neither a transactionId nor a seqNo.
  ['MeterValues', { required: ['evseId', 'meterValue'], optional: [] }],
])

/**
 * Times outside these are those of a clock that was never set (1970, 1980, 2000) or has overflowed; OCPP 1.6 is of
 * 2015. They are fixed, not relative to now: the same message has the same identity whenever and wherever it is read.
 */
const plausible = { from: Date.UTC(2016, 0), before: Date.UTC(2100, 0) }

/**
 * @param members of the payload
 * @param value of the payload; its parts are parsed where the value is not at hand
 */
export function factOf({ required, optional }: Identity, members: Members, value?: unknown): Fact {
  const fields: string[] = []
  let isCertain = true
  for (const path of required) {
    const text = fieldAt(members, path, value)
    if (text === null) isCertain = false
    fields.push(`"${path}":${text}`)
  }
  for (const path of optional) fields.push(`"${path}":${fieldAt(members, path, value)}`)
  const text = fields.join(',')
  return { text, isCertain: isCertain && hasPlausibleTimes(text) }
}

/**
 * @param of the field with the transaction's id
 * @param members of the payload
 */
export function transactionOf({ transaction }: Identity, of: string, members: Members): OfTransaction {
  const id = fieldAt(members, of)
  const isEnd = transaction === 'ends' || (transaction === 'event' && members.get('eventType') === '"Ended"')
  return { of: id, ended: isEnd ? id : null }
}

/** The text of a field, `null` where it is absent or null. */
function fieldAt(members: Members, path: string, value?: unknown): string | null {
  const [name = '', inner] = path.split('.')
  const outer = members.get(name) ?? 'null'
  const text = inner === undefined ? outer : outer.startsWith('{') ? (membersOf(outer).get(inner) ?? 'null') : 'null'
  if (text === 'null') return null
  if (!text.startsWith('{') && !text.startsWith('[')) return text
  const isAtHand = inner === undefined && isObject(value)
  return JSON.stringify(sorted(isAtHand ? value[name] : parseJson(text)))
}

/**
 * The members of each object by name, but those whose names are whole numbers first, as JavaScript has them.
 *
 * @param orders of the latest objects, by their number of members: a message repeats the same few thousands of times
 */
function sorted(value: unknown, orders: Order[] = []): unknown {
  if (Array.isArray(value)) return value.map(element => sorted(element, orders))
  if (!isObject(value)) return value
  const names = Object.keys(value)
  const copy: Record<string, unknown> = {}
  for (const name of orderOf(names, orders)) {
    const member = sorted(value[name], orders)
    if (name === '__proto__') Object.defineProperty(copy, name, { value: member, enumerable: true })
    else copy[name] = member
  }
  return copy
}

type Order = { readonly names: readonly string[]; readonly sorted: readonly string[] }

function orderOf(names: readonly string[], orders: Order[]): readonly string[] {
  const known = orders[names.length]
  if (known?.names.every((name, at) => name === names[at]) === true) return known.sorted
  const order = { names, sorted: [...names].sort() }
  orders[names.length] = order
  return order.sorted
}

/** Whether all times in the fields are plausible, of which there is at least one. */
function hasPlausibleTimes(text: string): boolean {
  let isPlausible = false
  // A quote within a string is escaped, so this matches members only.
  for (const [, time = ''] of text.matchAll(/"timestamp":(?:"([^"]*)")?/g)) {
    const ms = Date.parse(time)
    isPlausible = ms >= plausible.from && ms < plausible.before
    if (!isPlausible) return false
  }
  return isPlausible
}
