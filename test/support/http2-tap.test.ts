import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openGrpc } from '../../src/rpc/grpc/channel.ts'
import { never, perform } from '../rpc/calls.ts'
import { RawApp, reply, success } from '../rpc/grpc/raw-app.ts'
import { openHttp2Tap } from './http2-tap.ts'

test('Http2Tap counts statuses other than OK by code and message', { timeout: 20_000 }, async t => {
  const app = await RawApp.start(t)
  const tap = await openHttp2Tap(app.host)
  t.after(() => tap.close())
  const rpc = openGrpc(tap.host)
  t.after(() => rpc.close())
  const isFull = { 'grpc-status': '8', 'grpc-message': 'No%20free threads' }
  for (let times = 0; times < 2; times++) {
    app.once(stream => reply(stream, [], isFull))
    await assert.rejects(rpc.command(perform, never))
  }
  app.once(stream => reply(stream, [success], { 'grpc-status': '13' }))
  await assert.rejects(rpc.command(perform, never))
  assert.equal((await rpc.command(perform, never)).status, 'success')
  assert.deepEqual(tap.failures, { 'code 8: No free threads': 2, 'code 13: ': 1 })
})
