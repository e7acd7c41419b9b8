import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { readConfigFile } from '../src/settings.ts'
import { temporaryDirectory } from './support/store.ts'

test('readConfigFile reads the file, says why it cannot, and skips an optional one that is missing', t => {
  const dir = temporaryDirectory(t)
  const file = path.join(dir, 'ocpp-cable.toml')
  assert.equal(readConfigFile(null), null)
  assert.equal(readConfigFile({ path: file, required: false }), null)
  const missing = readConfigFile({ path: file, required: true })
  assert.ok(missing !== null && 'unreadable' in missing)
  assert.match(missing.unreadable, /no such file/)
  writeFileSync(file, 'port = 1')
  assert.deepEqual(readConfigFile({ path: file, required: true }), { path: file, text: 'port = 1' })
  const directory = readConfigFile({ path: dir, required: false })
  assert.ok(directory !== null && 'unreadable' in directory)
})
