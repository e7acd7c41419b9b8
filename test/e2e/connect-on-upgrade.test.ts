/**
 * `ocpp_connect_on=upgrade` with the real gem: who may connect is the app's decision before the 101, for independent
 * clients of both versions; and without the app.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { openGemApp, type GemApp } from '../support/gem.ts'
import { keepUntil } from '../support/keep.ts'
import { dial, protocol, upgradeHeaders } from '../support/peer.ts'
import { openStation } from '../support/station.ts'

const keep = keepUntil(after)
const within = { timeout: 120_000 }
const allBytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
let app: GemApp
let bridge: Bridge

before(async () => {
  app = keep(await openGemApp())
  bridge = keep(
    await openBridge([
      `--rpc_host=${app.grpc}`,
      '--ocpp_channel=ContractChannel',
      '--ocpp_connect_on=upgrade',
      '--ocpp_sn=station_id',
    ]),
  )
}, within)

async function refusalOf(id: string, headers: readonly string[] = [], version = 'ocpp1.6') {
  const lines = [`GET /ocpp/${id} HTTP/1.1`, 'Host: csms.example', ...upgradeHeaders, protocol(version), ...headers]
  const { head } = await dial(bridge.port, lines)
  return head
}

const keys = [
  ['ocpp1.6', 'CP:1', allBytes, 'all bytes there are, and a colon in the identity'],
  ['ocpp1.6', 'AL1000', Buffer.from('0001020304050607ffffffffffffffffffffffff', 'hex'), 'the example of the text'],
  ['ocpp2.0.1', 'CP2', 'pässwört:🔌*-_=+|@.', 'UTF-8'],
] as const
for (const [version, id, password, because] of keys) {
  test(`the Authorization header of a ${version} station reaches Rails byte for byte: ${because}`, within, async () => {
    const station = await openStation(bridge.url, id, { version, password })
    const { data } = await station.call('DataTransfer', { vendorId: 'V' })
    const user = Buffer.from(`${id}:`)
    assert.equal(data, `Basic ${Buffer.concat([user, Buffer.from(password)]).toString('base64')}`)
    await station.close()
  })
}

test('a station that the app rejects gets 401, one that it does not know 404, before the upgrade', within, async () => {
  const rejected = await refusalOf('REFUSED')
  assert.match(rejected, /^HTTP\/1\.1 401 /)
  assert.match(rejected, /^WWW-Authenticate: Basic realm="ocpp"$/m)
  assert.match(await refusalOf('UNKNOWN', [], 'ocpp2.0.1'), /^HTTP\/1\.1 404 /)
  assert.equal(await bridge.metric('failed_auths_total'), 2)
  const calls = await bridge.metric('rpc_call_total')
  for (let again = 0; again < 5; again++)
    assert.match(await refusalOf('REFUSED'), /^HTTP\/1\.1 401 [^]*^Retry-After: \d+$/m)
  assert.equal(await bridge.metric('rpc_call_total'), calls, 'the app is not asked again')
})

test('a request that is no upgrade to WebSocket costs no Connect', within, async () => {
  const calls = await bridge.metric('rpc_call_total')
  const lines = ['GET /ocpp/CP9 HTTP/1.1', 'Host: x', 'Upgrade: websocket', 'Connection: Upgrade', protocol('ocpp1.6')]
  for (const version of ['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Version: 7'])
    assert.match((await dial(bridge.port, [...lines, version])).head, /^HTTP\/1\.1 400 /)
  assert.equal(await bridge.metric('rpc_call_total'), calls)
})

test('no log line and no metric holds a key', within, async () => {
  const metrics = await (await fetch(`http://127.0.0.1:${bridge.metricsPort}/metrics`)).text()
  const written = `${bridge.process.output}\n${metrics}`
  for (const [, id, password] of keys) {
    const secrets = [
      Buffer.from(password).toString('base64'),
      Buffer.concat([Buffer.from(`${id}:`), Buffer.from(password)]).toString('base64'),
    ]
    for (const secret of secrets) assert.equal(written.includes(secret.slice(0, 16)), false)
  }
})

test('a station gets 503 with Retry-After while the app is away', within, async () => {
  await app.close()
  assert.match(await refusalOf('CP3'), /^HTTP\/1\.1 503 [^]*^Retry-After: \d+$/m)
})
