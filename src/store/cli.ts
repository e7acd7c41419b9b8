/**
 * `ocpp-cable outbox …`: reads the messages in the directory of a bridge, running or stopped, and changes those of a
 * stopped one.
 */
import { hasDatabase, openDatabase, readDatabase, type Database, type Value } from './database.ts'
import { StoreError } from './errors.ts'
import { changes, whichIn } from './outbox-operations.ts'

type Row = Readonly<Record<string, Value>>
/** Numbers of messages; `null` for all. */
type Which = readonly number[] | null

const usage = `Usage: ocpp-cable outbox COMMAND --state_dir=DIRECTORY

  list              one line for each message: number, station, version, action, when it was stored, attempts, state
  show NUMBER…      these messages, one line of JSON each
  export            all messages, in the same form
  retry NUMBER…|all makes dead letters pending again, and ends the wait of messages that are
  drop NUMBER…|all  deletes messages: the app never gets them

The bridge may be running for list, show and export.
`

/** @returns what to print, and whether the command was carried out */
export function outboxCommand(
  dir: string | null,
  [command = '', ...words]: readonly string[],
): { readonly ok: boolean; readonly text: string } {
  const which = numbersIn(words)
  const isListing = command === 'list' || command === 'export'
  if (which === undefined || (isListing ? words.length > 0 : words.length === 0)) return { ok: false, text: usage }
  if (dir === null) return { ok: false, text: 'state_dir is not set: add --state_dir=DIRECTORY\n' }
  if (!hasDatabase(dir)) return { ok: false, text: `state_dir ${dir}: no bridge has used it yet\n` }
  try {
    switch (command) {
      case 'list':
        return { ok: true, text: reading(dir, null).map(listed).join('') }
      case 'show':
      case 'export':
        return { ok: true, text: reading(dir, which).map(jsonLine).join('') }
      case 'retry':
        return changing(dir, which, changes.retry)
      case 'drop':
        return changing(dir, which, changes.drop)
      default:
        return { ok: false, text: usage }
    }
  } catch (error) {
    if (error instanceof StoreError) return { ok: false, text: `${error.message}${causeOf(error)}\n` }
    throw error
  }
}

/** @returns `undefined` where a word is no number */
function numbersIn(words: readonly string[]): Which | undefined {
  if (words.length === 0 || (words.length === 1 && words[0] === 'all')) return null
  return words.every(word => /^\d{1,15}$/.test(word)) ? words.map(Number) : undefined
}

function reading(dir: string, which: Which): Row[] {
  const database = readDatabase(dir)
  try {
    return withNumbers(database, which, 'SELECT * FROM outbox', 'ORDER BY seq').all()
  } finally {
    database.close()
  }
}

function changing(dir: string, which: Which, sql: string): { readonly ok: boolean; readonly text: string } {
  const database = openDatabase(dir)
  try {
    const number = database.transaction(() => withNumbers(database, which, sql).run().changes)
    return { ok: true, text: `${number} ${number === 1 ? 'message' : 'messages'}\n` }
  } finally {
    database.close()
  }
}

function withNumbers(database: Pick<Database, 'prepare'>, which: Which, sql: string, order = '') {
  return database.prepare(`${sql} ${whichIn(which)} ${order}`)
}

function listed(row: Row): string {
  const { seq, station, version, action, stored_at, attempts, dead_at, error } = row
  const state = dead_at === null ? 'pending' : 'dead'
  const cells = [seq, station, version, action, timeOf(stored_at), attempts, state, error ?? '']
  return `${cells.join('\t').replace(/[^\P{Cc}\t]/gu, ' ')}\n`
}

/** The payload as the station sent it, digit for digit. */
function jsonLine(row: Row): string {
  const { seq, station, version, message_id, action, key, stored_at, attempts, dead_at, error, payload } = row
  const before = JSON.stringify({ seq, station, version, action, key, storedAt: timeOf(stored_at), attempts })
  const after = JSON.stringify({ deadAt: timeOf(dead_at), error })
  return `${before.slice(0, -1)},"id":${String(message_id)},"payload":${String(payload)},${after.slice(1)}\n`
}

function timeOf(at: Value | undefined): string | null {
  return typeof at === 'number' ? new Date(at).toISOString() : null
}

function causeOf({ cause }: StoreError): string {
  return cause instanceof Error ? `: ${cause.message}` : ''
}
