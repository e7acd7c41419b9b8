/**
 * How the built program reaches the app: over HTTP, and over gRPC at several servers of which one is killed.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { rpcKey } from '../../src/rpc/http/client.ts'
import { cableApp, ScriptedApp } from '../support/app.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { HttpApp } from '../support/http-app.ts'
import { keepUntil } from '../support/keep.ts'
import { openStation, type Station } from '../support/station.ts'

const within = { timeout: 60_000 }
const boot = { chargePointVendor: 'Vendor', chargePointModel: 'Model' } as const
const accepted = { currentTime: '2026-01-02T03:04:05Z', interval: 300, status: 'Accepted' } as const

const script = cableApp(({ command, payload }) =>
  command === 'BootNotification' ? accepted : { status: 'Accepted', data: JSON.stringify(payload) },
)

async function openBridgeTo(t: TestContext, ...flags: string[]): Promise<Bridge> {
  const bridge = await openBridge(flags)
  t.after(() => bridge.close())
  return bridge
}

async function connect(t: TestContext, bridge: Bridge, id: string): Promise<Station> {
  const station = await openStation(bridge.url, id)
  t.after(() => station.close())
  return station
}

/** Resolves when the program is ready. */
async function ready(bridge: Bridge): Promise<void> {
  while ((await bridge.get('/ready')).status !== 200) await new Promise(setImmediate)
}

test('every call over HTTP carries the key derived from the secret', within, async t => {
  const app = await HttpApp.start({ key: rpcKey('qwerty') })
  t.after(() => app.stop())
  app.always(script)
  const bridge = await openBridgeTo(t, `--rpc_host=${app.url}`, '--secret=qwerty')
  await ready(bridge)
  const station = await openStation(bridge.url, 'CP01')
  assert.deepEqual(await station.call('BootNotification', boot), accepted)
  const answer = await station.call('DataTransfer', { vendorId: 'Zoë ⚡' })
  assert.deepEqual(answer, { status: 'Accepted', data: '{"vendorId":"Zoë ⚡"}' })
  await station.close()
  const disconnected = () => app.received.all.some(({ method }) => method === 'Disconnect')
  while (!disconnected()) await new Promise(setImmediate)
  assert.deepEqual(
    app.received.all.map(({ method, message }) => message['command'] ?? method),
    ['Connect', 'subscribe', 'message', 'message', 'Disconnect'],
  )
  assert.equal(new Set(app.received.all.map(({ metadata }) => metadata['sid'])).size, 1)
})

test('the bridge is not ready and logs the reason once when the app refuses its key', within, async t => {
  const app = await HttpApp.start({ key: 'of the app' })
  t.after(() => app.stop())
  const bridge = await openBridgeTo(t, `--rpc_host=${app.url}`, '--http_rpc_secret=of the bridge')
  await bridge.logged(/401: Unauthorized; .*http_rpc_secret/)
  assert.equal((await bridge.get('/ready')).status, 503)
})

for (const impl of ['grpc', 'grpc-js'] as const) {
  test(`${impl}: stations are served by the other server when one of two is killed`, within, async t => {
    const keep = keepUntil(end => t.after(end))
    const apps = [keep(await ScriptedApp.start()), keep(await ScriptedApp.start())] as const
    for (const app of apps) app.always(script)
    const hosts = apps.map(app => app.host).join(',')
    const bridge = await openBridgeTo(t, `--rpc_host=grpc-list://${hosts}`, `--rpc_impl=${impl}`)
    await ready(bridge)
    const stations = await Promise.all(['CP01', 'CP02', 'CP03'].map(id => connect(t, bridge, id)))
    const callAll = async (): Promise<void> => {
      for (const station of stations) assert.deepEqual(await station.call('BootNotification', boot), accepted)
    }
    while (apps.some(app => app.received.all.length === 0)) await callAll()
    const [killed, other] = apps
    killed.stop()
    const [killedHad, otherHad] = [killed.received.all.length, other.received.all.length]
    for (let rounds = 0; rounds < 5; rounds++) await callAll()
    assert.deepEqual([killed.received.all.length - killedHad, other.received.all.length - otherHad], [0, 15])
    await killed.start()
    while (killed.received.all.length === killedHad) await callAll()
    assert.equal((await bridge.get('/ready')).status, 200)
  })
}
