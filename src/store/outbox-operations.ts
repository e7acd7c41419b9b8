/**
 * The SQL of the outbox. Runs in the worker.
 */
import type {
  OutboxFilter,
  OutboxMessage,
  OutboxRetried,
  OutboxRow,
  OutboxSize,
  StoredMessage,
} from '../session/ports.ts'
import type { StationId } from '../translate/handshake.ts'
import type { Database } from './database.ts'

/** What a message costs beside its payload: its other columns, and its rows in two indexes. */
const messageBytes = 500
/** For one read. */
const maxMessages = 100
/** Of one station's session, in characters; a longer one is not kept. */
const maxSession = 16_384
/** In characters: what the app said may be long. */
const maxError = 1_000

/**
 * For an operator: what each command does to the messages that it names. Attempts that may have reached the app still
 * count.
 */
export const changes = {
  retry: 'UPDATE outbox SET dead_at = NULL, next_attempt_at = 0',
  drop: 'DELETE FROM outbox',
}

const columns = `seq, station AS stationId, version, message_id AS id, key, content, action, payload,
  stored_at AS storedAt, attempts, next_attempt_at AS nextAttemptAt`

/** As `OutboxRow`. */
export const rows = `SELECT ${columns}, dead_at AS deadAt, error FROM outbox`

/** @param seqs numbers of messages; `null` for all */
export function seqIn(seqs: readonly number[] | null): string {
  return seqs === null ? 'true' : `seq IN (${seqs.join()})`
}

export function outboxOperationsOn(database: Database) {
  const sql = {
    find: database.prepare('SELECT 1 FROM outbox WHERE station = ? AND key = ? AND content = ?'),
    size: database.prepare('SELECT pending, dead, bytes FROM outbox_size'),
    oldest: database.prepare('SELECT stored_at AS at FROM outbox WHERE dead_at IS NULL ORDER BY seq LIMIT 1'),
    append: database.prepare(
      `INSERT INTO outbox (station, key, content, message_id, action, version, attempts, stored_at, bytes, payload)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    pendingOf: database.prepare(
      `SELECT ${columns} FROM outbox WHERE station = ? AND seq > ? AND dead_at IS NULL ORDER BY seq LIMIT ${maxMessages}`,
    ),
    pendingStations: database.prepare(
      'SELECT station FROM outbox WHERE dead_at IS NULL GROUP BY station ORDER BY min(seq)',
    ),
    delivered: database.prepare('DELETE FROM outbox WHERE seq = ?'),
    failed: database.prepare('UPDATE outbox SET attempts = ?, next_attempt_at = ?, error = ? WHERE seq = ?'),
    deadLetter: database.prepare('UPDATE outbox SET attempts = attempts + 1, dead_at = ?, error = ? WHERE seq = ?'),
  }
  const size = () => sql.size.get() as Pick<OutboxSize, 'pending' | 'dead' | 'bytes'>
  return {
    ...sessionOperationsOn(database),
    ...operatorOperationsOn(database),

    /** @param maxBytes refused when the outbox would be larger */
    append: (message: OutboxMessage, maxBytes: number): 'stored' | 'present' | 'refused' => {
      const { stationId, key, content, id, action, version, attempts, storedAt, payload } = message
      if (sql.find.get(stationId, key, content) !== undefined) return 'present'
      const bytes = messageBytes + Buffer.byteLength(payload)
      if (size().bytes + bytes > maxBytes) return 'refused'
      sql.append.run(stationId, key, content, id, action, version, attempts, storedAt, bytes, payload)
      return 'stored'
    },

    pendingOf: (stationId: string, afterSeq: number): StoredMessage[] =>
      // The query names its columns as the fields, and the schema has their types; the library knows neither.
      sql.pendingOf.all(stationId, afterSeq) as unknown as StoredMessage[],

    pendingStations: (): string[] => sql.pendingStations.all().map(row => String(row['station'])),

    delivered: (seq: number): void => {
      sql.delivered.run(seq)
    },

    failed: (seq: number, attempts: number, nextAttemptAt: number, error: string): void => {
      sql.failed.run(attempts, nextAttemptAt, error.slice(0, maxError), seq)
    },

    deadLetter: (seq: number, reason: string, at: number): void => {
      sql.deadLetter.run(at, reason.slice(0, maxError), seq)
    },

    outboxSize: (): OutboxSize => {
      const oldestAt = sql.oldest.get()?.['at']
      return { ...size(), oldestAt: typeof oldestAt === 'number' ? oldestAt : null }
    },
  }
}

function sessionOperationsOn(database: Database) {
  const sql = {
    keep: database.prepare(
      `INSERT INTO app_sessions VALUES (?, ?)
       ON CONFLICT (station) DO UPDATE SET session = excluded.session WHERE session <> excluded.session`,
    ),
    drop: database.prepare('DELETE FROM app_sessions WHERE station = ?'),
    find: database.prepare('SELECT session FROM app_sessions WHERE station = ?'),
  }
  return {
    /** Nothing is written where the session is as before. */
    keepSession: (station: string, session: string): void => {
      if (session.length > maxSession) sql.drop.run(station)
      else sql.keep.run(station, session)
    },

    appSession: (station: string): string | null => {
      const session = sql.find.get(station)?.['session']
      return typeof session === 'string' ? session : null
    },
  }
}

/** Rare, so each statement is prepared when it is run. */
function operatorOperationsOn(database: Database) {
  return {
    outboxList: ({ stationId, state, after, limit }: OutboxFilter): OutboxRow[] => {
      const ofStation = stationId === null ? '' : 'AND station = ?'
      const inState = state === null ? '' : `AND dead_at IS ${state === 'dead' ? 'NOT ' : ''}NULL`
      const found = database.prepare(`${rows} WHERE seq > ? ${ofStation} ${inState} ORDER BY seq LIMIT ?`)
      // As above: the columns are the fields.
      return found.all(after, ...(stationId === null ? [] : [stationId]), limit) as unknown as OutboxRow[]
    },

    outboxFind: (seq: number): OutboxRow | null =>
      (database.prepare(`${rows} WHERE seq = ?`).get(seq) ?? null) as OutboxRow | null,

    outboxRetry: (seqs: readonly number[] | null): OutboxRetried => {
      const stations = database.prepare(`SELECT DISTINCT station FROM outbox WHERE ${seqIn(seqs)}`).all()
      const { changes: messages } = database.prepare(`${changes.retry} WHERE ${seqIn(seqs)}`).run()
      return { messages, stations: stations.map(({ station }) => String(station) as StationId) }
    },

    outboxDrop: (seqs: readonly number[] | null): number =>
      database.prepare(`${changes.drop} WHERE ${seqIn(seqs)}`).run().changes,
  }
}
