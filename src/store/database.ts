/**
 * One SQLite database in a directory that belongs to one process. The only import of SQLite.
 *
 * Synchronous, so it runs in a worker. A transaction that has returned is on the disk: SQLite syncs its log at each
 * commit (`synchronous=FULL`).
 */
import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync, type DatabaseSyncInstance } from '@photostructure/sqlite'
import { faultOf, StoreError } from './errors.ts'
import { migrations } from './schema.ts'

/** A value of a column, and of a parameter. */
export type Value = string | number | Uint8Array | null

export interface Statement {
  run(...values: Value[]): { readonly changes: number }
  get(...values: Value[]): Readonly<Record<string, Value>> | undefined
  all(...values: Value[]): Readonly<Record<string, Value>>[]
}

export interface Database {
  prepare(sql: string): Statement
  /** Returns when the changes are on the disk; throws when none of them is kept. */
  transaction<T>(work: () => T): T
  /** May be called twice. */
  close(): void
}

const fileName = 'ocpp-cable.db'
const lockName = 'ocpp-cable.lock'
/** Of pages: enough for the indexes of an outbox of 1 GiB. */
const cacheKib = 16 * 1024
/** Of the log that a burst leaves behind, in bytes. */
const maxIdleLog = 16 * 1024 * 1024

/** Opens the database of a directory, which is made if it is missing. Throws `StoreError`. */
export function openDatabase(dir: string, steps = migrations): Database {
  const opened: { close(): void }[] = []
  const open = (name: string): DatabaseSyncInstance => {
    const database = new DatabaseSync(fileIn(dir, name))
    opened.push(database)
    return database
  }
  try {
    makeDirectory(dir)
    lock(open(lockName))
    const database = open(fileName)
    migrate(database, steps, dir)
    return {
      prepare: sql => database.prepare(sql),
      transaction: work => inTransaction(database, work),
      close: () => {
        if (database.isOpen) emptyLog(database)
        closeAll(opened)
      },
    }
  } catch (error) {
    closeAll(opened)
    throw error instanceof StoreError ? error : new StoreError(faultOf(error), dir, { cause: error })
  }
}

export function hasDatabase(dir: string): boolean {
  return existsSync(path.join(dir, fileName))
}

/** Whether a process uses the directory. Changes nothing in it. Throws what SQLite throws. */
export function isDatabaseLocked(dir: string): boolean {
  const file = path.join(dir, lockName)
  if (!existsSync(file)) return false
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    valueOf(database, 'PRAGMA schema_version')
    return false
  } catch (error) {
    if (faultOf(error) === 'locked') return true
    throw error
  } finally {
    database.close()
  }
}

/** Opens the database of a directory to read it, also while a bridge uses it. Throws `StoreError`. */
export function readDatabase(dir: string): Pick<Database, 'prepare' | 'close'> {
  try {
    const database = new DatabaseSync(path.join(dir, fileName), { readOnly: true })
    const version = Number(valueOf(database, 'PRAGMA user_version'))
    if (version > migrations.length) throw new StoreError('newer', dir)
    if (version < migrations.length) throw new Error('an older ocpp-cable has written it: start this one with it first')
    return { prepare: sql => database.prepare(sql), close: () => database.close() }
  } catch (error) {
    throw error instanceof StoreError ? error : new StoreError(faultOf(error), dir, { cause: error })
  }
}

/**
 * Makes the file whole without its log. SQLite does so itself, but not while statements wait for the garbage collector.
 */
function emptyLog(database: DatabaseSyncInstance): void {
  try {
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  } catch {
    // Nothing is lost: what is in the log is synced, and read from there at the next start.
  }
}

/** The lock goes last. */
function closeAll(opened: { close(): void }[]): void {
  for (const each of opened.splice(0).reverse()) each.close()
}

function makeDirectory(dir: string): void {
  const made = mkdirSync(dir, { recursive: true, mode: 0o700 })
  // The name of a new directory is on the disk when its parent is synced. SQLite syncs `dir` itself.
  if (made !== undefined) syncDirectory(path.dirname(made))
}

function syncDirectory(dir: string): void {
  if (process.platform === 'win32') return
  const descriptor = openSync(dir, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/**
 * The path of a file for the owner only; SQLite gives the files beside it the same mode.
 *
 * An existing file is not opened here: closing it would release the locks that this process holds on it (POSIX
 * `fcntl`).
 */
function fileIn(dir: string, name: string): string {
  const file = path.join(dir, name)
  try {
    writeFileSync(file, '', { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    chmodSync(file, 0o600)
  }
  return file
}

/**
 * Node has no file locks, so a database of its own is the lock, in a transaction that never ends. The system releases
 * it when the process dies. The data's own lock would keep readers out.
 */
function lock(database: DatabaseSyncInstance): void {
  database.exec('BEGIN EXCLUSIVE')
}

function migrate(database: DatabaseSyncInstance, steps: readonly string[], dir: string): void {
  const version = Number(valueOf(database, 'PRAGMA user_version'))
  if (version > steps.length) throw new StoreError('newer', dir)
  // macOS syncs to the disk itself only with `fullfsync`.
  database.exec(`PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA cache_size = -${cacheKib};
    PRAGMA journal_size_limit = ${maxIdleLog}`)
  const fault = valueOf(database, 'PRAGMA quick_check(1)')
  if (fault !== 'ok') throw new StoreError('corrupt', dir, { cause: new Error(String(fault)) })
  steps.slice(version).forEach((step, at) => {
    inTransaction(database, () => database.exec(`${step} PRAGMA user_version = ${version + at + 1}`))
  })
}

function valueOf(database: DatabaseSyncInstance, sql: string): Value | undefined {
  return Object.values((database.prepare(sql).get() ?? {}) as Record<string, Value>)[0]
}

function inTransaction<T>(database: DatabaseSyncInstance, work: () => T): T {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (error) {
    // Some faults have rolled it back already.
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}
