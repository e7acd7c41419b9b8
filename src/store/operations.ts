/**
 * What the store can do, by name: the SQL of each operation. Runs in the worker.
 */
import type { Database } from './database.ts'
import { outboxOperationsOn } from './outbox-operations.ts'

/** A station's answered StartTransaction. */
export type StoredStart = {
  readonly station: string
  readonly key: string
  /** The digest of its content. */
  readonly content: string
  readonly transactionId: string | null
  readonly answer: string
}

export type Operations = ReturnType<typeof operationsOn>

/** Operations that change nothing: they also work on a disk that is full. */
export const reads: ReadonlySet<keyof Operations> = new Set([
  'serialNumbers',
  'starts',
  'credentials',
  'pendingOf',
  'pendingStations',
  'outboxSize',
  'outboxList',
  'outboxFind',
])

const maxSerialNumbers = 100_000

export function operationsOn(database: Database) {
  const sql = {
    keepSerialNumber: database.prepare('INSERT OR REPLACE INTO serial_numbers VALUES (?, ?, ?)'),
    serialNumbers: database.prepare(
      `SELECT station, serial_number FROM (SELECT * FROM serial_numbers ORDER BY at DESC LIMIT ${maxSerialNumbers}) ORDER BY at`,
    ),
    secret: database.prepare('SELECT key FROM secret'),
    credentials: database.prepare('SELECT station, digest FROM credentials'),
    keepCredentials: database.prepare('INSERT OR REPLACE INTO credentials VALUES (?, ?)'),
    dropCredentials: database.prepare('DELETE FROM credentials WHERE station = ?'),
    keepStart: database.prepare('INSERT OR REPLACE INTO starts VALUES (?, ?, ?, ?, ?, ?)'),
    dropStart: database.prepare('DELETE FROM starts WHERE station = ? AND transaction_id = ?'),
    dropStarts: database.prepare('DELETE FROM starts WHERE at < ?'),
    starts: database.prepare(
      'SELECT station, key, content, transaction_id AS transactionId, answer FROM starts WHERE at >= ? ORDER BY at',
    ),
  }
  return {
    ...outboxOperationsOn(database),

    keepSerialNumber: (station: string, serialNumber: string, at: number): void => {
      sql.keepSerialNumber.run(station, JSON.stringify(serialNumber), at)
    },

    /** Oldest first. */
    serialNumbers: (): (readonly [station: string, serialNumber: string])[] =>
      sql.serialNumbers.all().map(row => [String(row['station']), JSON.parse(String(row['serial_number'])) as string]),

    /** The digest of what each station was last accepted with, and the key of the digests. */
    credentials: (): { readonly key: Uint8Array; readonly digests: readonly (readonly [string, Uint8Array])[] } => ({
      key: sql.secret.get()?.['key'] as Uint8Array,
      digests: sql.credentials.all().map(row => [String(row['station']), row['digest'] as Uint8Array]),
    }),

    keepCredentials: (station: string, digest: Uint8Array): void => {
      sql.keepCredentials.run(station, digest)
    },

    dropCredentials: (station: string): void => {
      sql.dropCredentials.run(station)
    },

    /** @param keptSince older ones are dropped */
    keepStart: ({ station, key, content, transactionId, answer }: StoredStart, at: number, keptSince: number): void => {
      sql.dropStarts.run(keptSince)
      sql.keepStart.run(station, key, content, transactionId, answer, at)
    },

    dropStart: (station: string, transactionId: string): void => {
      sql.dropStart.run(station, transactionId)
    },

    /** Oldest first. */
    starts: (since: number): StoredStart[] => sql.starts.all(since) as StoredStart[],
  }
}
