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

  `CREATE TABLE outbox (
    -- The order in which the messages came, for ever: a number is not used again.
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    station TEXT NOT NULL,
    key TEXT NOT NULL,
    content TEXT NOT NULL,
    -- As JSON.
    message_id TEXT NOT NULL,
    action TEXT NOT NULL,
    version TEXT NOT NULL,
    stored_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER NOT NULL DEFAULT 0,
    -- Why the last attempt failed, or why it is a dead letter.
    error TEXT,
    -- Null for a message that is still to be delivered.
    dead_at INTEGER,
    bytes INTEGER NOT NULL,
    payload TEXT NOT NULL
  ) STRICT;
  -- One key may stand for two facts at a station that breaks its rules (docs/decisions.md), so the content counts, too.
  CREATE UNIQUE INDEX outbox_message ON outbox (station, key, content);
  CREATE INDEX outbox_pending ON outbox (station, seq) WHERE dead_at IS NULL;
  -- One row. Triggers keep it in step, so that a transaction which fails takes its numbers back.
  CREATE TABLE outbox_size (pending INTEGER NOT NULL, dead INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
  INSERT INTO outbox_size VALUES (0, 0, 0);
  CREATE TRIGGER outbox_added AFTER INSERT ON outbox BEGIN
    UPDATE outbox_size SET pending = pending + 1, bytes = bytes + new.bytes;
  END;
  CREATE TRIGGER outbox_removed AFTER DELETE ON outbox BEGIN
    UPDATE outbox_size SET pending = pending - (old.dead_at IS NULL), dead = dead - (old.dead_at IS NOT NULL),
      bytes = bytes - old.bytes;
  END;
  CREATE TRIGGER outbox_changed AFTER UPDATE OF dead_at ON outbox BEGIN
    UPDATE outbox_size SET pending = pending + (new.dead_at IS NULL) - (old.dead_at IS NULL),
      dead = dead + (new.dead_at IS NOT NULL) - (old.dead_at IS NOT NULL);
  END;
  -- The key of the digests, made at random.
  CREATE TABLE secret (key BLOB NOT NULL) STRICT;
  INSERT INTO secret VALUES (randomblob(32));
  CREATE TABLE credentials (station TEXT PRIMARY KEY, digest BLOB NOT NULL) STRICT, WITHOUT ROWID;`,

  `-- When the app last accepted them, to the day.
  ALTER TABLE credentials ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
  -- JSON: what the app restores a station's connection from, without credentials.
  CREATE TABLE app_sessions (station TEXT PRIMARY KEY, session TEXT NOT NULL) STRICT, WITHOUT ROWID;`,

  `CREATE TABLE last_seen (
    station TEXT PRIMARY KEY,
    -- When it was accepted, or left.
    at INTEGER NOT NULL,
    -- JSON: what else is known of it.
    about TEXT NOT NULL,
    -- JSON: how its connection ended; null while it is connected.
    ended TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX last_seen_at ON last_seen (at);
  -- One row: when the bridge is known to have run.
  CREATE TABLE alive (at INTEGER NOT NULL) STRICT;
  INSERT INTO alive VALUES (0);
  CREATE TABLE proofs (
    station TEXT PRIMARY KEY,
    -- The security profile.
    profile INTEGER NOT NULL,
    -- JSON; null where no certificate told one.
    serial_number TEXT NOT NULL,
    at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;`,

  `-- The subprotocol with which it was proved; null for a proof that is older than this column.
  ALTER TABLE proofs ADD COLUMN version TEXT;`,
]
