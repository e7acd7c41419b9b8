/**
 * The proxies of examples/deploy in front of the bridge: a station that is quiet for two minutes keeps its connection.
 * The bridge sends no ping in this time, so only the timeouts of each configuration count; nginx's own is 60 s.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { cableApp, ScriptedApp, stationOf } from '../support/app.ts'
import { commandBroadcast, openBridge, type Bridge } from '../support/bridge.ts'
import { makeKeyPair } from '../support/certificate.ts'
import { keepUntil } from '../support/keep.ts'
import { freePort } from '../support/ports.ts'
import { nginxFolders, openProxy, type ProxyName } from '../support/proxies.ts'
import { openRawStation } from '../support/station.ts'

const quietMs = 120_000

const keep = keepUntil(after)
const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-quiet-'))
after(() => rmSync(folder, { recursive: true }))
const files = { crt: join(folder, 'csms.crt'), key: join(folder, 'csms.key'), pem: join(folder, 'csms.pem') }

const rows: readonly (readonly [proxy: ProxyName, file: string, around: (config: string) => string])[] = [
  ['nginx', 'nginx.conf', config => `http { ${nginxFolders} access_log off;\n${config}\n}`],
  ['haproxy', 'haproxy.cfg', config => config],
  // Caddy would serve the name only, and on all addresses.
  ['caddy', 'Caddyfile', config => config.replace('csms.example {', ':443 {\n  bind 127.0.0.1')],
]

let app: ScriptedApp
let bridge: Bridge
let ca: string

before(async () => {
  const { cert, key } = await makeKeyPair()
  ca = cert
  writeFileSync(files.crt, cert)
  writeFileSync(files.key, key)
  writeFileSync(files.pem, cert + key)
  app = keep(await ScriptedApp.start())
  app.always(cableApp(() => null))
  bridge = keep(
    await openBridge([
      `--rpc_host=${app.host}`,
      '--trusted_proxies=127.0.0.1',
      '--ocpp_ping_interval=1h',
      '--ocpp_idle_timeout=3h',
    ]),
  )
})

/** Opens the proxy with the file of the example, in which only ports and paths of certificates are replaced. */
async function openExample([proxy, file, around]: (typeof rows)[number]): Promise<string> {
  const port = await freePort()
  const example = readFileSync(fileURLToPath(new URL(`../../examples/deploy/${file}`, import.meta.url)), 'utf8')
  const config = around(example)
    .replace(/\/etc\/ssl\/csms\.(crt|key|pem)/g, (_, kind: keyof typeof files) => files[kind])
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${bridge.port}`)
    .replace(/^(\s*(?:listen|bind) ):?443 /m, `$1127.0.0.1:${port} `)
    .replace(':443 {', `:${port} {`)
  keep(await openProxy(proxy, config))
  return `wss://127.0.0.1:${port}/ocpp`
}

describe('behind a proxy of examples/deploy', { concurrency: true }, () => {
  for (const row of rows) {
    const [proxy, file] = row
    test(`a station is still served after two quiet minutes behind ${proxy} with ${file}`, async t => {
      const id = `quiet-${proxy}`
      const station = await openRawStation(await openExample(row), id, {
        ca,
        headers: { 'X-Forwarded-For': '203.0.113.1' },
      })
      t.after(() => station.close())
      const boot = { chargePointVendor: 'Vendor', chargePointModel: 'Model' }
      await station.call('1', 'BootNotification', JSON.stringify(boot))
      const connects = app.received.all.filter(({ method }) => method === 'Connect')
      const connect = connects.find(call => stationOf(call) === id)
      const { url, headers } = connect?.message['env'] as { url: string; headers: Readonly<Record<string, string>> }
      assert.deepEqual([new URL(url).protocol, headers['REMOTE_ADDR']], ['https:', '127.0.0.1'])

      const outcome = await Promise.race([station.closed, sleep(quietMs, 'quiet')])
      assert.equal(outcome, 'quiet')
      assert.equal(station.received.length, 1)
      await bridge.broadcast(commandBroadcast(id, { command: 'Reset', id: `reset-${id}`, payload: { type: 'Soft' } }))
      await station.message(/"Reset"/)
      station.send(`[3,"reset-${id}",{"status":"Accepted"}]`)
      assert.match(await station.call('2', 'Heartbeat'), /currentTime/)
    })
  }
})
