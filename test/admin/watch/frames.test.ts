import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFakeAdmin } from '../support.ts'

test('sessions trace frames only while a history or a log wants them', async t => {
  const { world, client } = await openFakeAdmin(t)
  const only = client(null)
  assert.equal(world.trace, null)
  await only.ask('PUT', '/v1/stations/CP1/history', { frames: 1, for: 60 })
  assert.notEqual(world.trace, null)
  await only.ask('PUT', '/v1/stations/CP1/history', { frames: 0, for: 60 })
  assert.equal(world.trace, null)
  await only.ask('PUT', '/v1/stations/CP1/log', { level: 'debug', for: 60 })
  assert.notEqual(world.trace, null)
  await only.ask('PUT', '/v1/stations/CP1/log', { level: 'default', for: 60 })
  assert.equal(world.trace, null)
})

test('what was switched on ends by itself', async t => {
  const { world, client } = await openFakeAdmin(t)
  await client(null).ask('PUT', '/v1/stations/CP1/history', { frames: 1, for: 1 })
  while (world.trace !== null) await new Promise(resolve => setTimeout(resolve, 20))
  const { body } = await client(null).get('/v1/stats')
  assert.deepEqual((body['watching'] as { readonly histories: unknown }).histories, [])
})
