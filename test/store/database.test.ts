import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { hasDatabase, openDatabase, readDatabase, type Database } from '../../src/store/database.ts'
import { StoreError, type StoreFault } from '../../src/store/errors.ts'
import { migrations } from '../../src/store/schema.ts'
import { mountOf, temporaryDirectory } from '../support/store.ts'

const steps = ['CREATE TABLE one (n INTEGER, text TEXT);', 'CREATE TABLE two (n INTEGER);']

function opened(t: TestContext, dir: string, with_: readonly string[] = steps): Database {
  const database = openDatabase(dir, with_)
  t.after(() => database.close())
  return database
}

function insert(database: Database, n: number, text = ''): void {
  database.transaction(() => database.prepare('INSERT INTO one VALUES (?, ?)').run(n, text))
}

function count(database: Database): unknown {
  return database.prepare('SELECT count(*) AS num FROM one').get()?.['num']
}

function isFault(code: StoreFault): (error: unknown) => boolean {
  return error => error instanceof StoreError && error.code === code
}

test('a database makes its directory, for its owner only', t => {
  const dir = path.join(temporaryDirectory(t), 'a', 'b')
  const database = opened(t, dir)
  insert(database, 1)
  const modeOf = (file: string): number => statSync(file).mode & 0o777
  assert.equal(modeOf(dir), 0o700)
  const files = readdirSync(dir)
  assert.ok(files.includes('ocpp-cable.db-wal'), files.join())
  assert.deepEqual([...new Set(files.map(file => modeOf(path.join(dir, file))))], [0o600])
})

test('a database leaves the mode of a directory that was there, and takes others off its files', t => {
  const dir = path.join(temporaryDirectory(t), 'shared')
  mkdirSync(dir, { mode: 0o755 })
  chmodSync(dir, 0o755)
  writeFileSync(path.join(dir, 'ocpp-cable.db'), '', { mode: 0o644 })
  opened(t, dir)
  assert.equal(statSync(dir).mode & 0o777, 0o755)
  assert.equal(statSync(path.join(dir, 'ocpp-cable.db')).mode & 0o777, 0o600)
})

test('a database syncs its log at each commit', t => {
  const database = opened(t, temporaryDirectory(t))
  assert.deepEqual(Object.values(database.prepare('PRAGMA journal_mode').get() ?? {}), ['wal'])
  assert.deepEqual(Object.values(database.prepare('PRAGMA synchronous').get() ?? {}), [2])
})

test('a transaction that throws keeps nothing, and the next one is served', t => {
  const database = opened(t, temporaryDirectory(t))
  assert.throws(
    () =>
      database.transaction(() => {
        insertWithin(database, 1)
        throw new Error('half-way')
      }),
    /half-way/,
  )
  insert(database, 2)
  assert.equal(count(database), 1)
})

function insertWithin(database: Database, n: number): void {
  database.prepare('INSERT INTO one VALUES (?, ?)').run(n, '')
}

test('what a database holds outlives it', t => {
  const dir = temporaryDirectory(t)
  const first = openDatabase(dir, steps)
  insert(first, 1)
  first.close()
  assert.equal(count(opened(t, dir)), 1)
})

test('a second database on a directory is locked, whatever is closed meanwhile, until the first one is closed', t => {
  const dir = temporaryDirectory(t)
  const first = openDatabase(dir, steps)
  assert.throws(() => openDatabase(dir, steps), isFault('locked'))
  assert.throws(() => openDatabase(dir, steps), isFault('locked'))
  insert(first, 1)
  first.close()
  assert.equal(count(opened(t, dir)), 1)
})

test('a database of an older version is migrated, and keeps its rows', t => {
  const dir = temporaryDirectory(t)
  const old = openDatabase(dir, steps.slice(0, 1))
  insert(old, 1)
  old.close()
  const database = opened(t, dir)
  assert.equal(count(database), 1)
  assert.equal(database.prepare('SELECT count(*) AS num FROM two').get()?.['num'], 0)
})

test('a migration that fails half-way leaves the older version', t => {
  const dir = temporaryDirectory(t)
  openDatabase(dir, steps.slice(0, 1)).close()
  assert.throws(() => openDatabase(dir, [...steps, 'CREATE TABLE three (n); nonsense;']), isFault('io'))
  opened(t, dir, [...steps, 'CREATE TABLE three (n);'])
})

test('a database of a newer version is refused, and left as it is', t => {
  const dir = temporaryDirectory(t)
  openDatabase(dir, [...migrations, 'CREATE TABLE unheard_of (n INTEGER);']).close()
  const before = readFileSync(path.join(dir, 'ocpp-cable.db'))
  assert.throws(() => openDatabase(dir), isFault('newer'))
  assert.deepEqual(readFileSync(path.join(dir, 'ocpp-cable.db')), before)
})

test('a database can be read while it is in use, and only if its version is the present one', t => {
  const dir = temporaryDirectory(t)
  assert.equal(hasDatabase(dir), false)
  const old = openDatabase(dir, migrations.slice(0, 1))
  assert.equal(hasDatabase(dir), true)
  assert.throws(() => readDatabase(dir), isFault('io'))
  old.close()
  opened(t, dir, migrations)
  const reader = readDatabase(dir)
  assert.deepEqual(reader.prepare('SELECT * FROM outbox').all(), [])
  assert.throws(() => reader.prepare('DELETE FROM outbox').run(), { errcode: 8 })
  reader.close()
})

const damages = [
  ['its header is overwritten', 0, 200],
  ['a page in its middle is overwritten', 3 * 4096, 4096],
  ['it is another file altogether', 0, 100_000],
] as const
for (const [because, from, length] of damages) {
  test(`a database is corrupt when ${because}`, t => {
    const dir = temporaryDirectory(t)
    const database = openDatabase(dir, steps)
    for (let n = 0; n < 100; n++) insert(database, n, 'x'.repeat(500))
    database.close()
    const file = openSync(path.join(dir, 'ocpp-cable.db'), 'r+')
    writeSync(file, Buffer.alloc(length, 0x5a), 0, length, from)
    assert.throws(() => openDatabase(dir, steps), isFault('corrupt'))
  })
}

test('a directory is readonly where a file has its name', t => {
  const dir = path.join(temporaryDirectory(t), 'file')
  writeFileSync(dir, '')
  assert.throws(() => openDatabase(dir, steps), isFault('readonly'))
})

test('a transaction is full when the disk is, keeps what was there, and works again when there is space', async t => {
  const dir = await mountOf(t, 1024)
  if (dir === null) return
  const database = openDatabase(dir, steps)
  const filler = path.join(dir, 'filler')
  let rows = 0
  writeFileSync(filler, Buffer.alloc(200 * 1024))
  assert.throws(
    () => {
      for (; ; rows++) insert(database, rows, 'x'.repeat(5_000))
    },
    { errcode: 13 },
  )
  assert.ok(rows > 10, `${rows} rows`)
  assert.equal(count(database), rows)
  writeFileSync(filler, '')
  insert(database, rows)
  assert.equal(count(database), rows + 1)
  database.close()
  const again = openDatabase(dir, steps)
  assert.equal(count(again), rows + 1)
  again.close()
})

test('a database is full when there is no space to open it', async t => {
  const dir = await mountOf(t, 64)
  if (dir === null) return
  for (const leftKib of [0, 8, 24]) {
    writeFileSync(path.join(dir, 'filler'), Buffer.alloc((64 - leftKib) * 1024))
    assert.throws(() => openDatabase(dir, steps), isFault('full'), `${leftKib} KiB left`)
  }
})
