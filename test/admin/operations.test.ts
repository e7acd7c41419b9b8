import assert from 'node:assert/strict'
import { test } from 'node:test'
import { operationsOf, type Asked, type Parts, type Written } from '../../src/admin/operations.ts'
import { Scans } from '../../src/admin/stations/scan.ts'
import { openFakeAdmin } from './support.ts'

test('a history outlives what is known of its station', async t => {
  const { world, client } = await openFakeAdmin(t, { history: 2 })
  const station = world.plug('CP1')
  await station.boot()
  station.call('Heartbeat')
  await station.next()
  const { status, body } = await client(null).get('/v1/stations/CP1/messages?limit=1')
  const [last] = body['messages'] as { readonly direction: string; readonly action: string }[]
  assert.deepEqual([status, last?.direction, last?.action, body['until']], [200, 'sent', 'Heartbeat', null])
})

test('stats count stations by version and state, and list what is switched on', async t => {
  const { world, client } = await openFakeAdmin(t)
  const [one] = [world.plug('CP1'), world.plug('CP2', { version: 'ocpp2.0.1' })]
  await one.boot()
  await client(null).ask('PUT', '/v1/stations/CP*/log', { level: 'debug', for: 60 })
  const { body } = await client(null).get('/v1/stats')
  assert.deepEqual(body['byVersion'], { '1.6': 1, '2.0.1': 1 })
  assert.deepEqual(body['byState'], { accepted: 1, attaching: 1 })
  const { logs } = body['watching'] as { readonly logs: readonly { readonly station: string }[] }
  assert.deepEqual(
    logs.map(({ station }) => station),
    ['CP*'],
  )
})

test('the OpenAPI document is written once', () => {
  const { getOpenapi } = operationsOf({ facts: { version: '1.2.3' } } as Parts)
  const asked = {} as Asked<'getOpenapi'>
  assert.equal(getOpenapi(asked), getOpenapi(asked))
})

test('a history is written in the queue of scans, which has a limit', async () => {
  const scans = new Scans(() => 0)
  const order: string[] = []
  const messages = [{ station: 'CP1' }]
  const parts = { scans, frames: { historyOf: () => ({ messages, kept: 1, until: null }) }, facts: { version: '1' } }
  const { listMessages } = operationsOf(parts as unknown as Parts)
  const asked = { parameters: { id: 'CP1' }, query: {} } as unknown as Asked<'listMessages'>
  const before = Array.from({ length: 99 }, () => scans.each([1], () => order.push('scan')))
  const listed = Promise.resolve(listMessages(asked)).then(answer => {
    order.push('history')
    return answer
  })
  await assert.rejects(async () => listMessages(asked), /100 scans wait/)
  await Promise.all(before)
  const { json } = (await listed) as Written
  assert.equal(json, '{"kept":1,"until":null,"messages":[{"station":"CP1"}]}')
  assert.equal(order.indexOf('history'), 99)
})
