/**
 * What the store can do, by name: the SQL of each operation. Runs in the worker.
 */
import type { LastSeen, SessionEnd } from '../session/ports.ts'
import type { Proof } from '../translate/certificate.ts'
import type { StationId } from '../translate/handshake.ts'
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

export type StoredCredentials = {
  readonly station: string
  readonly digest: Uint8Array
  /** When the app accepted them. */
  readonly at: number
}

export type Operations = ReturnType<typeof operationsOn>

/** Operations that change nothing: they also work on a disk that is full. */
export const reads: ReadonlySet<keyof Operations> = new Set([
  'serialNumbers',
  'proofs',
  'starts',
  'credentials',
  'pendingOf',
  'pendingStations',
  'outboxSize',
  'appSession',
  'outboxList',
  'outboxFind',
  'lastSeen',
])

/** Writes that may be lost, and must not cost another one its place on a disk that is nearly full. */
export const expendable: ReadonlySet<keyof Operations> = new Set(['keepSeen', 'endSeen'])

/** For how many of them a serial number, and a digest of credentials, is read. */
export const maxStations = 100_000
/** How many stations are kept that were connected: as many as a process remembers. */
const maxSeen = 10_000

export function operationsOn(database: Database) {
  const sql = {
    keepSerialNumber: database.prepare('INSERT OR REPLACE INTO serial_numbers VALUES (?, ?, ?)'),
    serialNumbers: database.prepare(
      `SELECT station, serial_number FROM (SELECT * FROM serial_numbers ORDER BY at DESC LIMIT ${maxStations}) ORDER BY at`,
    ),
    keepStart: database.prepare('INSERT OR REPLACE INTO starts VALUES (?, ?, ?, ?, ?, ?)'),
    dropStart: database.prepare('DELETE FROM starts WHERE station = ? AND transaction_id = ?'),
    dropStarts: database.prepare('DELETE FROM starts WHERE at < ?'),
    starts: database.prepare(
      'SELECT station, key, content, transaction_id AS transactionId, answer FROM starts WHERE at >= ? ORDER BY at',
    ),
  }
  return {
    ...outboxOperationsOn(database),
    ...pruneOperationsOn(database),
    ...seenOperationsOn(database),
    ...proofOperationsOn(database),
    ...credentialOperationsOn(database),

    keepSerialNumber: (station: string, serialNumber: string, at: number): void => {
      sql.keepSerialNumber.run(station, JSON.stringify(serialNumber), at)
    },

    /** Oldest first. */
    serialNumbers: (): (readonly [station: string, serialNumber: string])[] =>
      sql.serialNumbers.all().map(row => [String(row['station']), JSON.parse(String(row['serial_number'])) as string]),

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

function credentialOperationsOn(database: Database) {
  const sql = {
    secret: database.prepare('SELECT key FROM secret'),
    credentials: database.prepare(
      `SELECT station, digest, at FROM (SELECT * FROM credentials ORDER BY at DESC LIMIT ${maxStations}) ORDER BY at`,
    ),
    keepCredentials: database.prepare('INSERT OR REPLACE INTO credentials VALUES (?, ?, ?)'),
    dropCredentials: database.prepare('DELETE FROM credentials WHERE station = ?'),
  }
  return {
    /** What each station was last accepted with, the one accepted longest ago first; and the key of the digests. */
    credentials: (): { readonly key: Uint8Array; readonly accepted: readonly StoredCredentials[] } => ({
      key: sql.secret.get()?.['key'] as Uint8Array,
      accepted: sql.credentials.all() as StoredCredentials[],
    }),

    keepCredentials: ({ station, digest, at }: StoredCredentials): void => {
      sql.keepCredentials.run(station, digest, at)
    },

    dropCredentials: (station: string): void => {
      sql.dropCredentials.run(station)
    },
  }
}

function proofOperationsOn(database: Database) {
  const sql = {
    keepProof: database.prepare(
      'INSERT OR REPLACE INTO proofs (station, profile, serial_number, version, at) VALUES (?, ?, ?, ?, ?)',
    ),
    proofs: database.prepare(
      `SELECT station, profile, serial_number, version FROM (SELECT * FROM proofs ORDER BY at DESC LIMIT ${maxStations}) ORDER BY at`,
    ),
  }
  return {
    keepProof: (station: string, { profile, serialNumber, version }: Proof, at: number): void => {
      sql.keepProof.run(station, profile, JSON.stringify(serialNumber), version, at)
    },

    /** Oldest first. */
    proofs: (): (readonly [station: string, proof: Proof])[] =>
      sql.proofs.all().map(row => [
        String(row['station']),
        {
          profile: row['profile'] as Proof['profile'],
          serialNumber: JSON.parse(String(row['serial_number'])) as Proof['serialNumber'],
          version: row['version'] as Proof['version'],
        },
      ]),
  }
}

function pruneOperationsOn(database: Database) {
  const sql = {
    pruneSerialNumbers: database.prepare(
      `DELETE FROM serial_numbers WHERE station IN (SELECT station FROM serial_numbers ORDER BY at DESC LIMIT -1 OFFSET ${maxStations})`,
    ),
    pruneProofs: database.prepare(
      `DELETE FROM proofs WHERE station IN (SELECT station FROM proofs ORDER BY at DESC LIMIT -1 OFFSET ${maxStations})`,
    ),
    pruneSessions: database.prepare(
      `DELETE FROM app_sessions WHERE station NOT IN (SELECT station FROM credentials)
       AND station NOT IN (SELECT station FROM outbox)`,
    ),
  }
  return {
    /**
     * Once for each process: drops the serial numbers and proofs that were kept longest ago, and the sessions of
     * unknown stations.
     */
    prune: (): void => {
      sql.pruneSerialNumbers.run()
      sql.pruneProofs.run()
      sql.pruneSessions.run()
    },
  }
}

function seenOperationsOn(database: Database) {
  const sql = {
    lastSeen: database.prepare('SELECT station, at, about, ended FROM last_seen ORDER BY at'),
    keep: database.prepare('INSERT OR REPLACE INTO last_seen VALUES (?, ?, ?, ?)'),
    prune: database.prepare(
      `DELETE FROM last_seen WHERE station IN (SELECT station FROM last_seen ORDER BY at DESC LIMIT -1 OFFSET ${maxSeen})`,
    ),
    end: database.prepare('UPDATE last_seen SET at = max(at, ?), ended = ? WHERE ended IS NULL'),
    alive: database.prepare('SELECT at FROM alive'),
    keepAlive: database.prepare('UPDATE alive SET at = ?'),
  }
  return {
    /** The one seen last is last; and when the bridge is known to have run, in ms since the epoch. */
    lastSeen: (): { readonly aliveAt: number; readonly stations: readonly LastSeen[] } => ({
      aliveAt: Number(sql.alive.get()?.['at']),
      stations: sql.lastSeen.all().map(({ station, at, about, ended }) => ({
        ...(JSON.parse(String(about)) as Omit<LastSeen, 'stationId' | 'at' | 'end'>),
        stationId: String(station) as StationId,
        at: Number(at),
        end: typeof ended === 'string' ? (JSON.parse(ended) as SessionEnd) : null,
      })),
    }),

    /** @param now when the bridge is known to run, in ms since the epoch */
    keepSeen: (stations: readonly LastSeen[], now: number): void => {
      for (const { stationId, at, end, ...about } of stations)
        sql.keep.run(stationId, at, JSON.stringify(about), end === null ? null : JSON.stringify(end))
      if (stations.length > 0) sql.prune.run()
      sql.keepAlive.run(now)
    },

    /** Ends the connections of a process that could not do so. */
    endSeen: (at: number, end: SessionEnd): void => {
      sql.end.run(at, JSON.stringify(end))
    },
  }
}
