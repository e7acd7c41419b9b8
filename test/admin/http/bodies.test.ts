import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '../../../src/admin/limits.ts'
import { openFakeAdmin } from '../support.ts'

const path = '/v1/stations/CP1/log'

test('a body that is too long is 413, with and without its length in the head', async t => {
  const { url, client } = await openFakeAdmin(t)
  const long = 'x'.repeat(limits.bodyBytes + 1)
  assert.equal((await client(null).ask('PUT', path, long)).body['type'], '/problems/body-too-large')
  const stream = new Blob([long]).stream()
  const request = { method: 'PUT', body: stream, duplex: 'half', headers: { 'content-type': 'application/json' } }
  assert.equal((await fetch(url + path, request as RequestInit)).status, 413)
})

test('a body that is not application/json is 415', async t => {
  const { client } = await openFakeAdmin(t)
  const { status } = await client(null).ask('PUT', path, '{"level":"debug","for":1}', { 'content-type': 'text/plain' })
  assert.equal(status, 415)
})

test('a body in UTF-8 is application/json with a charset, too', async t => {
  const { client } = await openFakeAdmin(t)
  const headers = { 'content-type': 'application/json; charset=utf-8' }
  assert.equal((await client(null).ask('PUT', path, '{"level":"debug","for":1}', headers)).status, 200)
})
