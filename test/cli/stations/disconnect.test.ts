import assert from 'node:assert/strict'
import { test } from 'node:test'
import { json, openFakeApi } from '../../support/admin-api.ts'
import { FakeTerminal } from '../../support/terminal.ts'

test('disconnect sends the reason, and prints how the connection was closed', async t => {
  const api = await openFakeApi(t, json({ id: 'CP1', sid: 's1', code: 1000, reason: 'new\u001bcertificate' }))
  const terminal = new FakeTerminal()
  assert.equal(await api.run(terminal, 'disconnect', 'CP1', '--reason=new certificate'), 0)
  assert.equal(terminal.out, 'closed the connection of CP1 with 1000: new\\u001bcertificate\n')
  const [{ method, url } = { method: '', url: '' }] = api.asked
  assert.deepEqual([method, url], ['DELETE', '/v1/stations/CP1/connection?reason=new+certificate'])
})
