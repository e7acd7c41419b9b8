/**
 * An app that accepts connections and sends nothing, as the gem does while its NATS is away: an open port proves
 * nothing.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { openBridge, type Bridge } from '../../support/bridge.ts'
import { openNats } from '../../support/nats.ts'
import { freePort } from '../../support/ports.ts'
import { openProxy } from '../../support/proxy.ts'
import { openRails } from '../../support/rails.ts'
import { openRawStation } from '../../support/station.ts'
import { assertCounts } from './cells.ts'
import { quick, until, WatchedApp } from './scene.ts'

const boot = '{"chargePointVendor":"Vendor","chargePointModel":"Model"}'
const start = '{"connectorId":1,"idTag":"TAG1","meterStart":0,"timestamp":"2026-01-02T03:04:05Z"}'
const authorize = '{"idTag":"TAG1"}'

async function open(t: TestContext, host: string): Promise<Bridge> {
  const bridge = await openBridge([`--rpc_host=${host}`, ...quick, '--rpc_command_timeout=3s'])
  t.after(() => bridge.kill('SIGKILL'))
  return bridge
}

/**
 * Two stations of a silent app until it replies: one that boots, and one that reconnects in the middle of a
 * transaction.
 *
 * @param speak makes the app reply
 */
async function play(bridge: Bridge, speak: () => unknown): Promise<void> {
  const [young, busy] = [await openRawStation(bridge.url, 'YOUNG'), await openRawStation(bridge.url, 'BUSY')]
  assert.equal((await bridge.get('/health')).status, 200)
  assert.equal((await bridge.get('/ready')).status, 503)
  assert.match(await busy.call('1', 'Authorize', authorize), /^\[4,"1","InternalError"/)
  assert.match(await busy.call('2', 'Heartbeat'), /^\[3,"2",\{"currentTime"/)
  const failed = await bridge.metric('rpc_error_total')
  const held = busy.call('3', 'StartTransaction', start)
  await bridge.metricReaches('rpc_error_total', failed + 1) // it was attempted and is being retried
  assert.match(await young.call('1', 'BootNotification', boot), /^\[3,"1",\{"status":"Pending"/)
  await speak()
  assert.match(await held, /^\[3,"3",\{.*"transactionId":\d/)
  await until(async () => (await bridge.get('/ready')).status === 200, 'the bridge is ready')
  assert.match(await young.call('2', 'BootNotification', boot), /^\[3,"2",\{"status":"Accepted"/)
  await Promise.all([young.close(), busy.close()])
  await until(async () => (await bridge.metric('clients_num')) === 0, 'no station is left at the bridge')
  const lines = bridge.log().map(({ msg }) => msg)
  for (const line of [/^the app does not answer at/, /^the app answers at/]) {
    assert.equal(lines.filter(msg => line.test(msg)).length, 1, `${line} in\n${lines.join('\n')}`)
  }
}

describe('an app that accepts connections and says nothing', { concurrency: true, timeout: 120_000 }, () => {
  test('gets no call twice once it replies', async t => {
    const app = await WatchedApp.open(t)
    const toApp = await openProxy(app.port)
    t.after(() => toApp.close())
    toApp.hold('up', 'down')
    const bridge = await open(t, toApp.host)
    await play(bridge, () => {
      toApp.release()
    })
    await until(() => app.unended.length === 0, 'the app has been told of the ends')
    const names = app.seen.map(({ name }) => name)
    assertCounts(names, { Connect: 2, subscribe: 2, boot_notification: 1, start_transaction: 1, Disconnect: 2 })
  })

  test('replies once NATS is there, when the gem waits for NATS', async t => {
    const [rpcPort, natsPort] = [await freePort(), await freePort()]
    const opening = openRails({ rpcPort, natsUrl: `nats://127.0.0.1:${natsPort}` })
    opening.catch(() => undefined) // awaited below
    t.after(async () => (await opening).close())
    await until(() => isListening(rpcPort), 'the port of the gem is open')
    const bridge = await open(t, `127.0.0.1:${rpcPort}`)
    await play(bridge, async () => {
      const nats = await openNats({ port: natsPort })
      t.after(() => nats.close())
    })
    const rails = await opening
    for (const id of ['YOUNG', 'BUSY']) {
      await rails.waitFor(({ event, station }) => event === 'disconnected' && station === id)
    }
    assertCounts(
      rails.ledger().map(({ event, duplicate }) => (duplicate === true ? `${event} again` : event)),
      {
        ...{ connected: 2, subscribed: 2, boot_notification: 1, start_transaction: 1 },
        ...{ unsubscribed: 2, disconnected: 2 },
      },
    )
  })
})

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
