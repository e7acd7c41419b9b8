/**
 * The outbox over the admin API, on the disk of a running bridge.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectTo, openAdminBridge } from '../support/admin-bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { temporaryDirectory } from '../support/store.ts'

const stop = '{"transactionId":1,"idTag":"04A2","meterStop":12,"timestamp":"2026-01-01T00:00:00Z"}'

test('a stored message is listed, shown, and dropped while the bridge runs', async t => {
  const keep = keepUntil(close => t.after(close))
  const flags = [`--state_dir=${temporaryDirectory(t)}`]
  const { app, bridge, admin } = await openAdminBridge(keep, flags, () => ({}))
  const station = await connectTo(bridge, t, 'CP1')
  app.stop()
  assert.match(await station.call('s', 'StopTransaction', stop), /^\[3,"s"/)
  const { body: page } = await admin.get('/v1/outbox?station=CP1&state=pending')
  const [message] = page['messages'] as { readonly number: number; readonly action: string }[]
  assert.equal(message?.action, 'StopTransaction')
  const { body: view } = await admin.get('/v1/stations/CP1')
  assert.equal((view['queues'] as { readonly stored: boolean }).stored, true)
  const { text } = await admin.get(`/v1/outbox/${message.number}`)
  assert.equal(text.includes(`"payload":${stop}`), true)
  const { body: retried } = await admin.ask('POST', '/v1/outbox/retry', { numbers: [message.number] })
  assert.equal(retried['messages'], 1)
  const { body: dropped } = await admin.ask('POST', '/v1/outbox/drop', { all: true })
  assert.equal(dropped['messages'], 1)
  const { body: empty } = await admin.get('/v1/outbox')
  assert.deepEqual([empty['messages'], empty['next']], [[], null])
})
