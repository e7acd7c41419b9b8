/**
 * `ocpp-cable outbox …`: reads the messages in the directory of a bridge, running or stopped, and changes those of a
 * stopped one.
 */
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { versions, type Version } from '../ocpp/version.ts'
import { hasDatabase, openDatabase, readDatabase, type Value } from './database.ts'
import { StoreError } from './errors.ts'
import { changes, seqIn } from './outbox-operations.ts'

type Row = Readonly<Record<string, Value>>
/** Numbers of messages; `null` for all. */
type Which = readonly number[] | null

/** For one read: a message has 1 MiB at most. */
const messagesAtOnce = 50

const usage = `Usage: ocpp-cable outbox COMMAND --state_dir=DIRECTORY

  list              one line for each message: number, station, version, action, when it was stored, attempts, state
  show NUMBER…      these messages, one line of JSON each
  export            all messages, in the same form
  retry NUMBER…|all makes dead letters pending again, and ends the wait of messages that are
  drop NUMBER…|all  deletes messages: the app never gets them

The bridge may be running for list, show and export.
`

/**
 * @param out gets the messages line by line, as fast as it takes them; when it closes, the command ends as if all were read
 * @param pageSize replaced in tests
 * @returns why the command was not carried out; `null` if it was
 */
export async function outboxCommand(
  dir: string | null,
  [command = '', ...words]: readonly string[],
  out: Writable,
  pageSize = messagesAtOnce,
): Promise<string | null> {
  const which = numbersIn(words)
  const isListing = command === 'list' || command === 'export'
  if (which === undefined || (isListing ? words.length > 0 : words.length === 0)) return usage
  if (dir === null) return 'state_dir is not set: add --state_dir=DIRECTORY\n'
  if (!hasDatabase(dir)) return `state_dir ${dir}: no bridge has used it yet\n`
  const lines = linesOf(command, dir, which, pageSize)
  if (lines === null) return usage
  try {
    await pipeline(Readable.from(lines), out, { end: false })
    return null
  } catch (error) {
    if (error instanceof StoreError) return `${error.message}${causeOf(error)}\n`
    // The reader has seen enough, as `head` has.
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return null
    throw error
  }
}

function linesOf(command: string, dir: string, which: Which, pageSize: number): Iterable<string> | null {
  switch (command) {
    case 'list':
      return reading(dir, null, pageSize, listed)
    case 'show':
    case 'export':
      return reading(dir, which, pageSize, jsonLine)
    case 'retry':
      return changing(dir, which, changes.retry)
    case 'drop':
      return changing(dir, which, changes.drop)
    default:
      return null
  }
}

/** @returns `undefined` where a word is no number */
function numbersIn(words: readonly string[]): Which | undefined {
  if (words.length === 0 || (words.length === 1 && words[0] === 'all')) return null
  return words.every(word => /^\d{1,15}$/.test(word)) ? words.map(Number) : undefined
}

/** Reads in pages: a read that goes on for long would keep a running bridge from emptying its log. */
function* reading(dir: string, which: Which, pageSize: number, lineOf: (row: Row) => string): Generator<string> {
  const database = readDatabase(dir)
  try {
    const next = database.prepare(`SELECT * FROM outbox WHERE seq > ? AND ${seqIn(which)} ORDER BY seq LIMIT ?`)
    for (let seq: Value = 0; ;) {
      const page = next.all(seq, pageSize)
      for (const row of page) yield lineOf(row)
      const last = page.at(-1)?.['seq']
      if (last === undefined) return
      seq = last
    }
  } finally {
    database.close()
  }
}

function* changing(dir: string, which: Which, sql: string): Generator<string> {
  const database = openDatabase(dir)
  try {
    const number = database.transaction(() => database.prepare(`${sql} WHERE ${seqIn(which)}`).run().changes)
    yield `${number} ${number === 1 ? 'message' : 'messages'} of ${dir}\n`
  } finally {
    database.close()
  }
}

function listed(row: Row): string {
  const { seq, station, version, action, stored_at, attempts, dead_at, error } = row
  const state = dead_at === null ? 'pending' : 'dead'
  const cells = [seq, station, numberOf(version), action, timeOf(stored_at), attempts, state, error ?? '']
  return `${cells.join('\t').replace(/[^\P{Cc}\t]/gu, ' ')}\n`
}

/** The payload as the station sent it, digit for digit. */
function jsonLine(row: Row): string {
  const { seq, station, version, message_id, action, key, stored_at, attempts, dead_at, error, payload } = row
  const storedAt = timeOf(stored_at)
  const before = JSON.stringify({ seq, station, version: numberOf(version), action, key, storedAt, attempts })
  const after = JSON.stringify({ deadAt: timeOf(dead_at), error })
  return `${before.slice(0, -1)},"id":${String(message_id)},"payload":${String(payload)},${after.slice(1)}\n`
}

/** `1.6`, as the admin API writes it. A bridge stores only versions that it knows, and a newer store is not read. */
function numberOf(version: Value | undefined): string {
  return versions[version as Version].number
}

function timeOf(at: Value | undefined): string | null {
  return typeof at === 'number' ? new Date(at).toISOString() : null
}

function causeOf({ cause }: StoreError): string {
  return cause instanceof Error ? `: ${cause.message}` : ''
}
