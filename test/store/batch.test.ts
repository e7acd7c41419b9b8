import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { failureOf, runBatch, type Request } from '../../src/store/batch.ts'
import { openDatabase, type Database } from '../../src/store/database.ts'
import { StoreError } from '../../src/store/errors.ts'
import { operationsOn } from '../../src/store/operations.ts'
import { temporaryDirectory } from '../support/store.ts'

const write = (station: string): Request => ({ name: 'keepSerialNumber', args: [station, 'SN', 1] })
const read: Request = { name: 'serialNumbers', args: [] }

function opened(t: TestContext): Database {
  const database = openDatabase(temporaryDirectory(t))
  t.after(() => database.close())
  return database
}

test('a batch is one transaction, and each request sees those before it', t => {
  const database = opened(t)
  let transactions = 0
  const counted: Database = { ...database, transaction: work => (transactions++, database.transaction(work)) }
  const replies = runBatch(counted, operationsOn(database), [write('CP1'), read, write('CP2'), read])
  const serials = (...stations: string[]) => ({ value: stations.map(station => [station, 'SN']) })
  assert.deepEqual(replies, [{ value: undefined }, serials('CP1'), { value: undefined }, serials('CP1', 'CP2')])
  assert.equal(transactions, 1)
})

test('a batch without a write needs no transaction', t => {
  const database = opened(t)
  const without: Database = { ...database, transaction: () => assert.fail('a transaction') }
  assert.deepEqual(runBatch(without, operationsOn(database), [read]), [{ value: [] }])
})

test('every write of a batch fails when its commit does, and reads are served', t => {
  const database = opened(t)
  const full = Object.assign(new Error('database or disk is full'), { errcode: 13 })
  const failing: Database = {
    ...database,
    transaction: work =>
      database.transaction(() => {
        work()
        throw full
      }),
  }
  const replies = runBatch(failing, operationsOn(database), [write('CP1'), read, write('CP2')])
  const failure = { fault: 'full', cause: 'database or disk is full' }
  assert.deepEqual(replies, [failure, { value: [] }, failure])
})

test('a failure names what is behind a StoreError, if anything is', () => {
  const cause = new Error('disk I/O error')
  assert.deepEqual(failureOf(new StoreError('io', '/x', { cause })), { fault: 'io', cause: 'disk I/O error' })
  assert.deepEqual(failureOf(new StoreError('newer', '/x')), { fault: 'newer', cause: null })
})

test('a write that may be lost costs no other one its place when both do not fit', t => {
  const database = opened(t)
  const full = Object.assign(new Error('database or disk is full'), { errcode: 13 })
  const operations = operationsOn(database)
  const failing = {
    ...operations,
    keepSeen: () => {
      throw full
    },
  }
  const seen: Request = { name: 'keepSeen', args: [[], 1] }
  const failure = { fault: 'full', cause: 'database or disk is full' }
  const replies = runBatch(database, failing, [write('CP1'), seen, read, write('CP2'), seen])
  const serials = { value: [['CP1', 'SN']] }
  assert.deepEqual(replies, [{ value: undefined }, failure, serials, { value: undefined }, failure])
  assert.deepEqual(runBatch(database, failing, [seen]), [failure])
})
