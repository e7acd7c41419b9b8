import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { clockProbe, natsProbe, rpcProbe } from '../../../src/cli/check/app.ts'
import { resolve } from '../../../src/config/resolve.ts'
import { ScriptedApp, type Received } from '../../support/app.ts'
import { HttpApp } from '../../support/http-app.ts'
import { keepUntil } from '../../support/keep.ts'
import { openNats } from '../../support/nats.ts'
import { freePort } from '../../support/ports.ts'

function configOf(...argv: readonly string[]) {
  const resolution = resolve({ argv, env: {}, file: null, nodeId: 'test' })
  assert.ok(resolution.ok)
  return resolution.config
}

type Call = { readonly method: string; readonly env: { readonly url: string; readonly headers: Record<string, string> }; readonly identifiers: unknown } // prettier-ignore

const callOf = ({ method, message }: Received): Call =>
  ({ method, env: message['env'], identifiers: message['identifiers'] }) as Call

const apps = [
  ['gRPC', async () => ScriptedApp.start(), (app: ScriptedApp | HttpApp) => (app as ScriptedApp).host],
  ['HTTP', async () => HttpApp.start(), (app: ScriptedApp | HttpApp) => (app as HttpApp).url],
] as const
for (const [name, start, addressOf] of apps) {
  const open = async (t: TestContext) => {
    const app = keepUntil(end => t.after(end))(await start())
    return { app, config: configOf(`--rpc_host=${addressOf(app)}`) }
  }

  test(`the app is reachable over ${name}, without a station nothing is connected`, async t => {
    const { app, config } = await open(t)
    assert.equal((await rpcProbe(config, null)).status, 'ok')
    assert.deepEqual(app.received.all.filter(({ method }) => method === 'Connect'), []) // prettier-ignore
  })

  test(`a station connects over ${name} as from the bridge, and disconnects`, async t => {
    const { app, config } = await open(t)
    app.always(({ method }) => ({ status: 'SUCCESS', ...(method === 'Connect' && { identifiers: '{"id":"x"}' }) }))
    const { status, found } = await rpcProbe(config, { id: 'CP 1', password: 'secret' })
    assert.deepEqual([status, found], ['ok', `${addressOf(app)}: the app accepted CP 1, and saw it leave`])
    const [connect, disconnect] = app.received.all.map(callOf).filter(({ env }) => env.url.includes('/ocpp/'))
    assert.ok(connect && disconnect)
    assert.deepEqual([connect.method, disconnect.method], ['Connect', 'Disconnect'])
    assert.equal(connect.env.url, 'http://localhost:8080/ocpp/CP%201')
    assert.equal(connect.env.headers['authorization'], `Basic ${Buffer.from('CP 1:secret').toString('base64')}`)
    assert.equal(connect.env.headers['x-ocpp-version'], '1.6')
    assert.equal(disconnect.identifiers, '{"id":"x"}')
  })

  test(`a station that the app rejects over ${name} fails`, async t => {
    const { app, config } = await open(t)
    app.always(() => ({ status: 'FAILURE' }))
    const { status, found } = await rpcProbe(config, { id: 'CP1', password: null })
    assert.deepEqual([status, found], ['fail', `${addressOf(app)} is reachable, and the app rejected CP1`])
  })

  test(`an app that raises over ${name} fails, with a look at its log`, async t => {
    const { app, config } = await open(t)
    app.always(() => ({ status: 'ERROR', error_msg: 'boom' }))
    const { status, fix } = await rpcProbe(config, { id: 'CP1', password: null })
    assert.equal(status, 'fail')
    assert.match(fix ?? '', /look at the app's log/)
  })

  test(`an app that is not there over ${name} fails, with what to start`, async t => {
    const { app, config } = await open(t)
    app.stop()
    const { status, found, fix } = await rpcProbe(config, null)
    assert.equal(status, 'fail')
    assert.match(found, /ECONNREFUSED/)
    assert.match(fix ?? '', /start (its RPC server|the app).*, or correct rpc_host/)
  })
}

test('a station that the bridge itself refuses fails, and the app is not asked', async t => {
  const app = keepUntil(end => t.after(end))(await ScriptedApp.start())
  const { status, found } = await rpcProbe(configOf(`--rpc_host=${app.host}`), { id: '..', password: null })
  assert.equal(status, 'fail')
  assert.match(found, /the bridge itself refuses \.\.: The path contains a dot segment/)
})

test('a password that is not forwarded to the app is a warning', async t => {
  const app = keepUntil(end => t.after(end))(await ScriptedApp.start())
  const config = configOf(`--rpc_host=${app.host}`, '--headers=cookie')
  const { status, fix } = await rpcProbe(config, { id: 'CP1', password: 'secret' })
  assert.deepEqual([status, fix], ['warn', 'add authorization to headers'])
})

test('NATS is reachable, or it fails with a reason and without the password', async t => {
  const nats = keepUntil(end => t.after(end))(await openNats())
  const up = await natsProbe(configOf(`--nats_servers=${nats.url}`))
  assert.deepEqual([up.status, up.found], ['ok', `subscribed to __anycable__ at ${nats.url}`])
  const port = await freePort()
  const down = await natsProbe(configOf(`--nats_servers=nats://user:secret@127.0.0.1:${port}`))
  assert.deepEqual([down.status, down.found], ['fail', `nats://127.0.0.1:${port}: CONNECTION_REFUSED`])
  assert.equal((await natsProbe(configOf())).status, 'skip')
})

async function openDate(t: TestContext, date: string | null): Promise<string> {
  const server = createServer((_request, response) => {
    response.sendDate = false
    if (date !== null) response.setHeader('date', date)
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const noon = Date.UTC(2026, 0, 2, 12)
const clocks = [
  [noon, new Date(noon).toUTCString(), 'ok', 'agrees with the clock of the app'],
  [noon + 999, new Date(noon).toUTCString(), 'ok', 'agrees with the clock of the app'],
  [noon + 4_000, new Date(noon).toUTCString(), 'ok', '3 s off the clock of the app'],
  [noon - 7_000, new Date(noon).toUTCString(), 'fail', '7 s off the clock of the app'],
  [noon, null, 'skip', 'the app did not answer with a date'],
  [noon, 'yesterday', 'skip', 'the app did not answer with a date'],
] as const
for (const [now, date, status, found] of clocks) {
  test(`the clock is ${status} at ${new Date(now).toISOString()} when the app says ${date ?? 'nothing'}`, async t => {
    const finding = await clockProbe(configOf(`--rpc_host=${await openDate(t, date)}`), () => now)
    assert.deepEqual([finding.status, finding.found], [status, found])
  })
}

test('the clock is skipped over gRPC, and when the app is away', async () => {
  assert.equal((await clockProbe(configOf(), Date.now)).status, 'skip')
  assert.equal((await clockProbe(configOf(`--rpc_host=http://127.0.0.1:${await freePort()}`), Date.now)).status, 'skip')
})
