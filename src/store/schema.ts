/**
 * The tables of the store, as the steps that make them: step n brings a store of version n - 1 to version n. A released
 * step is never changed.
 *
 * Pure. Times are in ms since the epoch.
 */
export const migrations: readonly string[] = [
  `CREATE TABLE serial_numbers (
    station TEXT PRIMARY KEY,
    -- JSON: SQLite's text ends at a NUL, which a serial number may have.
    serial_number TEXT NOT NULL,
    at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE starts (
    station TEXT NOT NULL,
    key TEXT NOT NULL,
    content TEXT NOT NULL,
    -- As JSON has it in the answer; null where there is none.
    transaction_id TEXT,
    answer TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (station, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX starts_at ON starts (at);`,
]
