/**
 * One process with a listener for each security profile: who comes in where, certificates by name, reloads beside a
 * connected station, and no way back to a lower profile, also after a restart.
 */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { cableApp, ScriptedApp } from '../support/app.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { openCa, type Ca, type Files } from '../support/certificate.ts'
import { keepUntil } from '../support/keep.ts'
import { freePort } from '../support/ports.ts'
import { run } from '../support/process.ts'
import { openStation, type Station, type StationOptions } from '../support/station.ts'

const keep = keepUntil(after)
const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-listeners-'))
const at = (file: string): string => join(folder, file)
let ca: Ca
let bridge: Bridge
let app: ScriptedApp
const servers: Files[] = []
const ports = { plain: 0, wss: 0, mtls: 0 }

/** A listener's certificate: `a.crt` is what the bridge reads. */
function put({ cert, key }: Files, name: string): void {
  copyFileSync(cert, at(`${name}.crt`))
  copyFileSync(key, at(`${name}.key`))
}

before(async () => {
  ca = await openCa(at('ca'), 'CA')
  for (const [number, host] of ['a', 'a', 'b'].entries())
    servers.push(
      await ca.issue(`server${number}`, {
        subject: '/CN=csms',
        san: `IP:127.0.0.1,DNS:${host}.example`,
        usage: 'serverAuth',
      }),
    )
  const [first = assert.fail(), , other = assert.fail()] = servers
  put(first, 'a')
  put(other, 'b')
  for (const name of ['plain', 'wss', 'mtls'] as const) ports[name] = await freePort()
  app = keep(await ScriptedApp.start())
  app.always(cableApp(() => null))
  writeFileSync(
    at('bridge.toml'),
    `[[listener]]
host = "127.0.0.1"
port = ${ports.wss}
ssl_cert = ["${at('a.crt')}", "${at('b.crt')}"]
ssl_key = ["${at('a.key')}", "${at('b.key')}"]
ocpp_profile = 2

[[listener]]
host = "127.0.0.1"
port = ${ports.mtls}
ssl_cert = "${at('a.crt')}"
ssl_key = "${at('a.key')}"
ssl_client_ca = "${ca.cert}"
`,
  )
  bridge = keep(await openBridge(flags()))
  ports.plain = bridge.port
})

after(() => rmSync(folder, { recursive: true }))

function flags(): string[] {
  return [
    ...['--ignore-config-path=false', `--config-path=${at('bridge.toml')}`, '--ocpp_profile=1'],
    ...[`--state_dir=${at('state')}`, `--rpc_host=${app.host}`],
  ]
}

type Version = 'ocpp1.6' | 'ocpp2.0.1'

/** Connects by a profile, on the listener that is for it. */
async function connect(id: string, profile: 0 | 1 | 2 | 3, version: Version, on = profile): Promise<Station> {
  const [scheme, port] = on < 2 ? ['ws', ports.plain] : ['wss', on === 2 ? ports.wss : ports.mtls]
  const { cert, key } = profile === 3 ? await ca.issue(id, { subject: `/CN=${id}` }) : { cert: null, key: null }
  const options: StationOptions = {
    version,
    ca: readFileSync(ca.cert, 'utf8'),
    ...((profile === 1 || profile === 2) && { password: 'open sesame' }),
    ...(cert !== null && { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }),
  }
  return openStation(`${scheme}://127.0.0.1:${port}/ocpp`, id, options)
}

/** Connects, has the app accept the station, and leaves. */
async function visit(...how: Parameters<typeof connect>): Promise<void> {
  const station = await connect(...how)
  const isAccepted = () =>
    app.received.all.some(call => call.method === 'Connect' && JSON.stringify(call.message).includes(`/${how[0]}"`))
  do await station.call('Heartbeat')
  while (!isAccepted())
  await station.close()
}

for (const version of ['ocpp1.6', 'ocpp2.0.1'] as const) {
  const id = (profile: number) => `${version.replace('.', '-').replace('.', '-')}-P${profile}`
  for (const profile of [1, 2, 3] as const) {
    test(`a ${version} station of profile ${profile} comes in on its listener`, async () => {
      await visit(id(profile), profile, version)
    })
  }

  for (const [profile, on, code] of [
    [0, 1, 401],
    [0, 2, 401],
    [2, 3, 403],
  ] as const) {
    test(`a ${version} station of profile ${profile} gets ${code} on the listener for profile ${on}`, async () => {
      await assert.rejects(connect('CP-none', profile, version, on), { code })
    })
  }

  for (const [before, now, isRefused] of [
    [2, 1, true],
    [3, 1, true],
    [3, 2, version === 'ocpp1.6'],
  ] as const) {
    test(`a ${version} station of profile ${before} ${isRefused ? 'gets 403' : 'may come'} by profile ${now}`, async () => {
      if (isRefused) await assert.rejects(connect(id(before), now, version), { code: 403 })
      else await (await connect(id(before), now, version)).close()
    })
  }
}

test('a profile outlives a restart, until the option lifts it', async () => {
  await bridge.restart()
  await assert.rejects(connect('ocpp1-6-P2', 1, 'ocpp1.6'), { code: 403 })
  await bridge.close()
  bridge = keep(await openBridge([...flags(), '--ocpp_profile_downgrade=ocpp1-6-P2']))
  ports.plain = bridge.port
  await (await connect('ocpp1-6-P2', 1, 'ocpp1.6')).close()
  await assert.rejects(connect('ocpp1-6-P3', 1, 'ocpp1.6'), { code: 403 })
})

/** The certificate that a client of a host is served. */
async function served(host: string): Promise<string> {
  const flags = ['-connect', `127.0.0.1:${ports.wss}`, '-servername', host, '-tls1_3']
  const { stdout } = await run('openssl', ['s_client', ...flags])
  return new X509Certificate(stdout).fingerprint256
}

const fingerprintOf = ({ cert }: Files): string => new X509Certificate(readFileSync(cert)).fingerprint256

test('each name has its certificate; SIGHUP and a change on disk serve new ones, a connected station stays', async t => {
  const station = await connected(t)
  const [first = assert.fail(), second = assert.fail(), other = assert.fail()] = servers
  assert.deepEqual([await served('a.example'), await served('b.example')], [first, other].map(fingerprintOf))

  const from = bridge.process.lines.length
  copyFileSync(second.cert, at('a.crt'))
  bridge.process.signal('SIGHUP')
  const line = await bridge.process.line(/could not reload/, from)
  assert.match(line, /a.crt and .*a.key do not match/)
  assert.equal(await served('a.example'), fingerprintOf(first))

  copyFileSync(second.key, at('a.key'))
  await bridge.process.line(/"part":"ssl_cert".*reloaded/, from)
  while ((await served('a.example')) !== fingerprintOf(second));
  assert.equal(await served('b.example'), fingerprintOf(other))
  await station.call('Heartbeat')
})

async function connected(t: TestContext): Promise<Station> {
  const station = await connect('CP-stays', 2, 'ocpp1.6')
  t.after(() => station.close())
  return station
}
