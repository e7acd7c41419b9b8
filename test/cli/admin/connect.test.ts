import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect } from '../../../src/cli/admin/connect.ts'
import { announceBridge } from '../../../src/cli/admin/local-bridge.ts'
import { json, openFakeApi } from '../../support/admin-api.ts'
import { temporaryDirectory } from '../../support/store.ts'
import { FakeTerminal } from '../../support/terminal.ts'

const none = { adminUrl: null, adminToken: null, stateDir: null }
const { pid, ppid } = process

function terminalOf(t: TestContext): FakeTerminal {
  const terminal = new FakeTerminal()
  terminal.env = { XDG_RUNTIME_DIR: temporaryDirectory(t) }
  return terminal
}

test('connect asks the bridge on this machine, with the token', async t => {
  const api = await openFakeApi(t, json({}))
  const terminal = terminalOf(t)
  announceBridge({ pid, url: api.url, ports: [] }, terminal.env, null)
  await connect({ flags: { ...none, adminToken: 'secret' }, terminal }).ask('getStats')
  assert.deepEqual([api.asked[0]?.url, api.asked[0]?.token], ['/v1/stats', 'Bearer secret'])
})

test('connect prefers --admin_url to the bridge on this machine', async t => {
  const api = await openFakeApi(t, json({}))
  const terminal = terminalOf(t)
  announceBridge({ pid, url: 'http://127.0.0.1:1', ports: [] }, terminal.env, null)
  await connect({ flags: { ...none, adminUrl: api.url }, terminal }).ask('getStats')
  assert.equal(api.asked.length, 1)
})

test('connect says how to switch the API on when the bridge runs without', t => {
  const terminal = terminalOf(t)
  announceBridge({ pid, url: null, ports: [] }, terminal.env, null)
  assert.throws(
    () => connect({ flags: none, terminal }),
    new RegExp(`the admin API of the bridge \\(pid ${pid}\\) is off: start the bridge with --admin_port=8091`),
  )
})

test('connect asks which bridge is meant when several run', t => {
  const terminal = terminalOf(t)
  announceBridge({ pid, url: 'http://127.0.0.1:1', ports: [] }, terminal.env, null)
  announceBridge({ pid: ppid, url: 'http://127.0.0.1:2', ports: [] }, terminal.env, null)
  assert.throws(
    () => connect({ flags: none, terminal }),
    /several bridges run here: choose one with --admin_url=http:\/\/127.0.0.1:\d or --admin_url=http:\/\/127.0.0.1:\d/,
  )
})

test('connect ignores a stale file with a line, and says where it has looked', t => {
  const terminal = terminalOf(t)
  const stateDir = temporaryDirectory(t)
  const file = path.join(stateDir, 'bridge-1.json')
  writeFileSync(file, '')
  assert.throws(
    () => connect({ flags: { ...none, stateDir }, terminal }),
    new RegExp(`no bridge found in ${stateDir}: start one with --admin_port=8091`),
  )
  assert.equal(terminal.err, `${file} is ignored: that bridge does not run any more\n`)
})
