import assert from 'node:assert/strict'
import { test } from 'node:test'
import { json, openFakeApi } from '../../support/admin-api.ts'
import { FakeTerminal } from '../../support/terminal.ts'

const rows = [
  ['debug', ['--for', '10m'], 600, /^the bridge logs the frames of CP\* until \d\d:\d\d:\d\d\.000\n$/],
  ['debug', [], 600, /^the bridge logs the frames/],
  ['default', ['--for=1h'], 3_600, /^the bridge logs CP\* as log_level says\n$/],
] as const
for (const [level, flags, seconds, said] of rows) {
  test(`log ${level} ${flags.join(' ')} sets the level for ${seconds} s`, async t => {
    const api = await openFakeApi(t, json({ station: 'CP*', until: '2026-01-02T03:04:05.000Z' }))
    const terminal = new FakeTerminal()
    assert.equal(await api.run(terminal, 'log', 'CP*', level, ...flags), 0)
    assert.match(terminal.out, said)
    assert.equal(api.asked[0]?.url, '/v1/stations/CP*/log')
    assert.deepEqual(JSON.parse(api.asked[0].body), { level, for: seconds })
  })
}

test('log with another level is wrong usage', async t => {
  const api = await openFakeApi(t, json({}))
  const terminal = new FakeTerminal()
  assert.equal(await api.run(terminal, 'log', 'CP1', 'info'), 2)
  assert.match(terminal.err, /^"info": expected debug or default\n/)
  assert.equal(api.asked.length, 0)
})
