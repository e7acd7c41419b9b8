import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '../../src/store/database.ts'
import { operationsOn } from '../../src/store/operations.ts'
import { migrations } from '../../src/store/schema.ts'
import { temporaryDirectory } from '../support/store.ts'

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
