/**
 * The bridge is full, by `max-conn` or by the open-files limit: stations are refused, the log says so once, and the
 * connection to the app is kept.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { cableApp, ScriptedApp } from '../support/app.ts'
import { openBridge, program, programEnv } from '../support/bridge.ts'
import { openCa } from '../support/certificate.ts'
import { dial, isUpgraded, protocol, upgradeHeaders } from '../support/peer.ts'
import { freePort } from '../support/ports.ts'
import { openProcess } from '../support/process.ts'
import { openRawStation, type RawStation } from '../support/station.ts'

/** A missing event fails the test. */
const within = { timeout: 60_000 }
const boot = '{"chargePointVendor":"Vendor","chargePointModel":"Model"}'

async function openApp(t: TestContext): Promise<ScriptedApp> {
  const app = await ScriptedApp.start()
  t.after(() => app.stop())
  app.always(cableApp(() => null))
  return app
}

/** The status of an upgrade from one of this machine's addresses. */
async function statusFrom(localAddress: string, port: number, path: string): Promise<number | undefined> {
  const headers = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Protocol': 'ocpp1.6',
  }
  const asked = request({ host: '127.0.0.1', port, path, localAddress, headers })
  asked.end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  response.resume()
  return response.statusCode
}

test(
  'refusals for lack of room are one line for all addresses, and bad requests one line for each',
  within,
  async t => {
    const app = await openApp(t)
    const bridge = await openBridge([`--rpc_host=${app.host}`, '--max-conn=1'])
    t.after(() => bridge.close())
    const station = await openRawStation(bridge.url, 'CP0')
    t.after(() => station.close())
    for (const address of ['127.0.0.2', '127.0.0.3', '127.0.0.4']) {
      assert.equal(await statusFrom(address, bridge.port, '/ocpp/CP1'), 503)
      assert.equal(await statusFrom(address, bridge.port, '/ocpp/%ZZ'), 400)
    }
    await bridge.close()
    const refused = bridge.log().filter(({ msg }) => msg === 'a station was refused')
    const ofStatus = (status: number) => refused.filter(line => line['status'] === status).length
    assert.deepEqual([ofStatus(503), ofStatus(400)], [1, 3])
  },
)

test('a station gets 503 at the open-files limit, and the bridge reconnects to its app', within, async t => {
  const app = await openApp(t)
  const [port, broadcastPort] = [await freePort(), await freePort()]
  const flags = ['--ignore-config-path', '--host=127.0.0.1', `--port=${port}`, `--rpc_host=${app.host}`]
  const argv = [program, ...flags, `--http_broadcast_port=${broadcastPort}`]
  const limited = ['-c', 'ulimit -n 200; exec "$0" "$@"', process.execPath, ...argv]
  const bridge = openProcess('bash', limited, { env: programEnv() })
  t.after(() => bridge.close())
  const [, logged] = /limit=200 stations=(\d+)/.exec(await bridge.line(/the open-files limit allows few/)) ?? []
  const room = Number(logged)
  assert.ok(room > 120 && room < 180, `there is room for ${room}`)
  await bridge.line(/Handle OCPP/)
  const url = `ws://127.0.0.1:${port}/ocpp`
  const stations: RawStation[] = []
  for (let at = 0; at < room; at++) stations.push(await openRawStation(url, `CP${at}`))
  t.after(() => Promise.all(stations.map(station => station.close())))
  for (let at = 0; at < 50; at++) await assert.rejects(openRawStation(url, 'late'), /503/)
  const [first] = stations
  assert.ok(first !== undefined, 'there is a first one')
  assert.match(await first.call('1', 'BootNotification', boot), /"Accepted"/)
  app.stop()
  const status = (id: string) =>
    first.call(id, 'StatusNotification', '{"connectorId":1,"errorCode":"NoError","status":"Available"}')
  assert.match(await status('down'), /InternalError/)
  await app.start()
  for (let at = 0; (await status(`up-${at}`)) !== `[3,"up-${at}",{}]`; at++);
  assert.equal(bridge.lines.filter(line => line.includes('a station was refused')).length, 1)
})

for (const scheme of ['ws', 'wss'] as const) {
  test(
    `behind a proxy that connects by ${scheme}, a station that has left makes room at its address`,
    within,
    async t => {
      const app = await openApp(t)
      const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-no-room-'))
      t.after(() => rmSync(folder, { recursive: true }))
      const ca = await openCa(folder, 'Stations')
      const { cert, key } = await ca.issue('bridge', { subject: '/CN=csms', san: 'IP:127.0.0.1', usage: 'serverAuth' })
      const tls = scheme === 'wss' ? [`--ssl_cert=${cert}`, `--ssl_key=${key}`] : []
      const flags = [`--rpc_host=${app.host}`, '--trusted_proxies=127.0.0.1', '--limits_conn_per_address=1', ...tls]
      const bridge = await openBridge(flags)
      t.after(() => bridge.close())
      const headers = { 'X-Forwarded-For': '203.0.113.1' }
      for (const id of ['CP1', 'CP2', 'CP3']) {
        const url = `${scheme}://127.0.0.1:${bridge.port}/ocpp/${id}`
        const station = new WebSocket(url, ['ocpp1.6'], { headers, ca: readFileSync(ca.cert) })
        t.after(() => station.terminate())
        await once(station, 'open')
        const closed = once(station, 'close')
        station.close()
        await closed
        while ((await bridge.metric('clients_num')) > 0) await sleep(10)
      }
    },
  )
}

test('a station that upgrades 100 times at once takes the room of no other, and max-conn holds', within, async t => {
  const app = await openApp(t)
  const flags = [`--rpc_host=${app.host}`, '--ocpp_connect_on=upgrade', '--max-conn=20']
  const bridge = await openBridge(flags)
  t.after(() => bridge.close())
  const authorization = `Authorization: Basic ${Buffer.from('CP0:long enough a key').toString('base64')}`
  const lines = ['GET /ocpp/CP0 HTTP/1.1', 'Host: x', ...upgradeHeaders, protocol('ocpp1.6'), authorization]
  const flood = async (): Promise<number> => {
    const peers = await Promise.all(Array.from({ length: 100 }, () => dial(bridge.port, lines)))
    t.after(() => peers.forEach(({ socket }) => socket.destroy()))
    return peers.filter(isUpgraded).length
  }
  assert.ok((await flood()) >= 1)
  assert.ok((await bridge.metric('clients_num')) <= 2)
  const others: RawStation[] = []
  t.after(() => Promise.all(others.map(station => station.close())))
  for (let at = 1; at <= 5; at++) others.push(await openRawStation(bridge.url, `CP${at}`))
  await flood()
  const fill = async (): Promise<never> => {
    for (;;) others.push(await openRawStation(bridge.url, `CP${others.length + 1}`))
  }
  await assert.rejects(fill(), /503/)
  await flood()
  assert.ok((await bridge.metric('clients_num')) <= 20)
  assert.ok(others.length >= 18, `${others.length} others`)
})

test('a second listener gives an address no second limit on connections', within, async t => {
  const app = await openApp(t)
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-no-room-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'bridge.toml')
  writeFileSync(file, `[[listener]]\nhost = "127.0.0.1"\nport = ${port}\n`)
  const flags = ['--ignore-config-path=false', `--config-path=${file}`, '--limits_conn_per_address=2']
  const bridge = await openBridge([...flags, `--rpc_host=${app.host}`])
  t.after(() => bridge.close())
  const second = `ws://127.0.0.1:${port}/ocpp`
  const stations = [await openRawStation(bridge.url, 'CP0'), await openRawStation(second, 'CP1')]
  t.after(() => Promise.all(stations.map(station => station.close())))
  await assert.rejects(openRawStation(bridge.url, 'CP2'), /429/)
  await assert.rejects(openRawStation(second, 'CP2'), /429/)
})
