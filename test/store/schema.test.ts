import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { openCredentials } from '../../src/store/stations/credentials.ts'
import { openDatabase } from '../../src/store/database.ts'
import { operationsOn } from '../../src/store/operations.ts'
import { outboxOf } from '../../src/store/outbox.ts'
import { migrations } from '../../src/store/schema.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { openSourceStore, temporaryDirectory } from '../support/store.ts'
import { allPending, outboxMessage } from './messages.ts'

const within = { timeout: 60_000 }

for (const version of migrations.keys()) {
  test(`a store of version ${version} is brought to the present one`, t => {
    const dir = temporaryDirectory(t)
    openDatabase(dir, migrations.slice(0, version)).close()
    const database = openDatabase(dir)
    t.after(() => database.close())
    assert.deepEqual(Object.values(database.prepare('PRAGMA user_version').get() ?? {}), [migrations.length])
    operationsOn(database)
  })
}

/** A directory with a database that the code of that version has written. */
function olderDirectory(t: TestContext, version: number): string {
  const dir = temporaryDirectory(t)
  const file = readFileSync(path.join(import.meta.dirname, 'older', `version-${version}.db.gz`))
  writeFileSync(path.join(dir, 'ocpp-cable.db'), gunzipSync(file))
  return dir
}

test('there is a file of each older version', () => {
  const files = readdirSync(path.join(import.meta.dirname, 'older')).sort()
  assert.deepEqual(files, [...migrations.keys()].slice(1).map(version => `version-${version}.db.gz`)) // prettier-ignore
})

for (const version of [1, 2, 3, 4]) {
  test(
    `a file of version ${version} has its serial numbers and StartTransactions at the present one`,
    within,
    async t => {
      const store = await openSourceStore(olderDirectory(t, version))
      t.after(() => store.close())
      assert.deepEqual(await store.call('serialNumbers'), [['CP1', 'SN-1'], ['CP2', 'Ä\u0000b']]) // prettier-ignore
      const [start] = await store.call('starts', 0)
      assert.deepEqual([start?.station, start?.transactionId], ['CP1', '7'])
      const outbox = outboxOf(store, Infinity)
      assert.equal(await outbox.append(outboxMessage('new')), 'stored')
      assert.equal((await allPending(outbox)).at(-1)?.key, 'StopTransaction-new')
    },
  )
}

for (const version of [2, 3, 4]) {
  test(`a file of version ${version} has its stored messages and credentials at the present one`, within, async t => {
    const store = await openSourceStore(olderDirectory(t, version))
    t.after(() => store.close())
    const outbox = outboxOf(store, Infinity)
    const [first, second, ...others] = await allPending(outbox)
    assert.deepEqual([first?.key, first?.payload, first?.attempts], ['key of a', '{"meterStop": 2935.600}', 0])
    assert.deepEqual([second?.key, second?.attempts, second?.nextAttemptAt], ['key of b', 3, 1_767_225_700_000])
    assert.deepEqual(others, [])
    const { pending, dead, oldestAt } = await outbox.size()
    assert.deepEqual([pending, dead, oldestAt], [2, 1, 1_767_225_600_000])
    const credentials = await openCredentials(store, Date.now, assert.ifError)
    assert.equal(credentials.wasAccepted('CP1' as StationId, 'Basic Q1AxOnNlc2FtZQ=='), true)
    assert.equal(credentials.wasAccepted('CP2' as StationId, 'Basic Q1AxOnNlc2FtZQ=='), false)
    // A number is not used again, though the last one was delivered.
    assert.equal(await outbox.append(outboxMessage('new')), 'stored')
    assert.equal((await allPending(outbox)).at(-1)?.seq, 5)
  })
}

test('a file of version 4 has its proofs at the present one, of an unknown version of OCPP', within, async t => {
  const store = await openSourceStore(olderDirectory(t, 4))
  t.after(() => store.close())
  assert.deepEqual(await store.call('proofs'), [['CP1', { profile: 3, serialNumber: 'SN-1', version: null }]])
})

test('a file of version 3 has its sessions at the present one', within, async t => {
  const store = await openSourceStore(olderDirectory(t, 3))
  t.after(() => store.close())
  assert.equal(await store.call('appSession', 'CP1'), '{"version":"ocpp1.6"}')
  assert.deepEqual(await store.call('lastSeen'), { aliveAt: 0, stations: [] })
})
