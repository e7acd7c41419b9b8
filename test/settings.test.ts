import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { resolve } from '../src/config/resolve.ts'
import { readConfigFile, statsdSettings } from '../src/settings.ts'
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
  const refuse = (): never => {
    throw new Error('it is not a regular file')
  }
  assert.deepEqual(readConfigFile({ path: file, required: true }, refuse), {
    path: file,
    unreadable: 'it is not a regular file',
  })
  const directory = readConfigFile({ path: dir, required: false })
  assert.ok(directory !== null && 'unreadable' in directory)
})

const hosts = [
  ['statsd', 'statsd', 8125, 'the port of StatsD'],
  ['statsd:9125', 'statsd', 9125, 'another port'],
  ['[::1]:9125', '::1', 9125, 'an IPv6 address has no brackets'],
] as const
for (const [given, host, port, because] of hosts) {
  test(`statsd_host ${given} is port ${port} of ${host}: ${because}`, () => {
    const argv = [`--statsd_host=${given}`, '--metrics_tags=env:dev']
    const resolution = resolve({ argv, env: {}, file: null, nodeId: 'n' })
    assert.ok(resolution.ok)
    const expected = { prefix: 'ocpp_cable.', tagsFormat: 'datadog', maxPacketSize: 1400, tags: { env: 'dev' } }
    assert.deepEqual(statsdSettings(resolution.config), { ...expected, host, port })
  })
}
