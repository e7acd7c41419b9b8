/** Two connections of one station to the built program. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { cableApp, ScriptedApp } from '../support/app.ts'
import { openBridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { openRawStation } from '../support/station.ts'

test('a second connection gets 409 while the first is open when ocpp_takeover=refuse', async t => {
  const keep = keepUntil(end => t.after(end))
  const app = keep(await ScriptedApp.start())
  app.always(cableApp(() => ({})))
  const bridge = keep(await openBridge([`--rpc_host=${app.host}`, '--ocpp_takeover=refuse']))
  const first = await openRawStation(bridge.url, 'CP1')
  await first.call('1', 'StatusNotification')
  const second = new WebSocket(`${bridge.url}/CP1`, ['ocpp1.6'])
  second.on('error', () => undefined)
  const [, response] = (await once(second, 'unexpected-response')) as [unknown, IncomingMessage]
  assert.equal(response.statusCode, 409)
  second.terminate()
  const { problem, path } = await bridge.logged(/a station was refused/)
  assert.deepEqual([problem, path], ['This Charging Station is already connected', '/ocpp/CP1'])
  assert.equal(await first.call('2', 'StatusNotification'), '[3,"2",{}]')
  await first.close()
  await bridge.logged(/station disconnected/)
  const third = await openRawStation(bridge.url, 'CP1')
  assert.equal(await third.call('3', 'StatusNotification'), '[3,"3",{}]')
  await third.close()
})
