import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { send, textOf } from '../../src/cli/http.ts'
import { json, openFakeApi } from '../support/admin-api.ts'
import { freePort } from '../support/ports.ts'

const request = (url: string, idleMs = 5_000) => ({ method: 'GET', url: new URL(url), headers: {}, body: null, idleMs })

/** A server that accepts connections, and does that with each. */
async function openTcp(t: TestContext, onConnection: (end: () => void) => void): Promise<string> {
  const server = createServer(socket => {
    t.after(() => socket.destroy())
    socket.on('error', () => undefined)
    onConnection(() => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

test('send resolves with the status, the headers and the text in parts', async t => {
  const { url } = await openFakeApi(t, json({ text: 'ü'.repeat(100_000) }))
  const response = await send(request(url))
  assert.deepEqual([response.status, response.headers['content-type']], [200, 'application/json'])
  assert.equal(await textOf(response), JSON.stringify({ text: 'ü'.repeat(100_000) }))
})

const refused = async () => `http://127.0.0.1:${await freePort()}/`
const rows = [
  ['ECONNREFUSED', refused, 'nothing listens'],
  ['ETIMEDOUT', (t: TestContext) => openTcp(t, () => undefined), 'there is no answer in time'],
  ['ECONNRESET', (t: TestContext) => openTcp(t, end => end()), 'the connection is closed'],
] as const
for (const [code, open, because] of rows) {
  test(`send rejects with ${code} when ${because}`, async t => {
    await assert.rejects(send(request(await open(t), 100)), { code })
  })
}
