/**
 * The real gem behind each transport: its replies, its size limits, its pings, and the connections that it closes now
 * and then.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { CommandCall, Identifier } from '../../src/cable/rpc.ts'
import { openGrpcJs } from '../../src/rpc/grpc-js/channel.ts'
import { openGrpc } from '../../src/rpc/grpc/channel.ts'
import { openHttp, rpcKey } from '../../src/rpc/http/client.ts'
import { defaultLimits, type OpenTransport } from '../../src/rpc/transport.ts'
import { testGemContract } from '../contract/gem.ts'
import { rpcError, testRpcContract } from '../contract/rpc.ts'
import { ScriptedApp, type Received } from '../support/app.ts'
import { Mailbox } from '../support/fakes.ts'
import { gemSecret, openGemApp, type GemApp } from '../support/gem.ts'
import { openHttp2Tap } from '../support/http2-tap.ts'
import { keepUntil } from '../support/keep.ts'

const never = new AbortController().signal
const relay = fileURLToPath(new URL('../contract/relay.rb', import.meta.url))
const implementations = [
  ['grpc', openGrpc],
  ['grpc-js', openGrpcJs],
] as const

function perform(data: object): CommandCall {
  return {
    sid: 's1',
    env: { url: 'http://csms.example/ocpp/CP01', headers: {}, cstate: {}, istate: {} },
    command: 'message',
    identifier: '{"channel":"ContractChannel","sn":"SN1"}' as Identifier,
    connectionIdentifiers: '{"station_id":"CP01","role":"ev"}',
    data: JSON.stringify(data),
  }
}

async function openApp(t: TestContext, env: Readonly<Record<string, string>>): Promise<GemApp> {
  const app = await openGemApp(env)
  t.after(() => app.close())
  return app
}

const openHttpTo = (url: string, key = rpcKey(gemSecret)): OpenTransport =>
  openHttp({ url, key, trust: { ca: null, verify: true }, limits: defaultLimits })

/**
 * The cases of `testGrpcClient` besides the contract kill and restart the server, or need a reply that only a server of
 * the test's gives: grpc-js's has them all.
 */
describe('the contract at the server of the gem', { timeout: 120_000 }, () => {
  const keep = keepUntil(after)
  let app: ScriptedApp
  let gem: GemApp
  before(async () => {
    app = await ScriptedApp.start()
    gem = keep(await openGemApp({ RELAYED_APP: app.host }, relay))
  })
  after(() => app.stop())
  for (const [name, openTransport] of implementations) {
    testRpcContract(`${name} at the gem`, t => {
      const rpc = openTransport(gem.grpc)
      t.after(() => rpc.close())
      app.received = new Mailbox<Received>()
      const { received } = app
      return Promise.resolve({ rpc, app: { received, once: script => app.once(script) } })
    })
  }
})

/** What the app has received since the last call, the ids of boots among others. */
async function toldBy(rpc: OpenTransport): Promise<unknown[]> {
  const [text = ''] = (await rpc.command(perform({ action: 'tell' }), never)).transmissions
  return (JSON.parse(text) as { message: { told: unknown[] } }).message.told
}

describe('one app, all transports', { timeout: 120_000 }, () => {
  let app: GemApp
  const open = new Map<string, OpenTransport>()
  const rpcOf = (name: string): OpenTransport => {
    const rpc = open.get(name)
    assert.ok(rpc, `${name} is open`)
    return rpc
  }

  const keep = keepUntil(after)

  before(async () => {
    app = keep(await openGemApp())
    for (const [name, openTransport] of implementations) open.set(name, keep(openTransport(app.grpc)))
    open.set('http', keep(openHttpTo(app.http)))
  })

  for (const name of [...implementations.map(([name]) => name), 'http']) {
    testGemContract(`gem over ${name}`, () => rpcOf(name))

    test(`${name}: problem resolves with null when the app is up`, async () => {
      assert.equal(await rpcOf(name).problem(10_000), null)
    })

    test(`${name}: a reply over the limit rejects as ran`, async () => {
      const large = perform({ action: 'large', bytes: 5 * 2 ** 20 })
      await assert.rejects(rpcOf(name).command(large, never), rpcError('application', 'ran', /rpc_max_call_recv_size/))
    })
  }

  test('a wrong key and a wrong path over HTTP are problems that name the option', async () => {
    const wrongKey = openHttpTo(app.http, 'other')
    assert.ok(rpcError('application', 'notRun', /401.*http_rpc_secret/)(await wrongKey.problem(5_000)), 'the key')
    const wrongPath = openHttpTo(app.http.replace('_anycable', 'anycable'))
    assert.ok(rpcError('application', 'notRun', /404.*\/_anycable/)(await wrongPath.problem(5_000)), 'the path')
    await Promise.all([wrongKey.close(), wrongPath.close()])
  })

  for (const [name] of implementations) {
    test(`${name}: a call over the 4 MiB of Ruby's gRPC server rejects as not run`, async () => {
      const rpc = rpcOf(name)
      await toldBy(rpc)
      const large = perform({ action: 'boot_notification', id: 'large', text: 'x'.repeat(5 * 2 ** 20) })
      await assert.rejects(rpc.command(large, never), rpcError('application', 'notRun', /the app's server accepts/))
      assert.deepEqual(await toldBy(rpc), [])
    })
  }
})

for (const [name, openTransport] of implementations) {
  // Ruby closes a connection after 300 s; here after one, so that many end during the calls.
  test(
    `${name}: no call is lost or doubled when the server closes connections under load`,
    { timeout: 120_000 },
    async t => {
      const app = await openApp(t, { ANYCABLE_RPC_MAX_CONNECTION_AGE: '1' })
      const keep = keepUntil(end => t.after(end))
      const tap = keep(await openHttp2Tap(app.grpc))
      const rpc = keep(openTransport(tap.host))
      const made: string[] = []
      const station = async (name: string): Promise<void> => {
        for (let calls = 0; tap.goaways < 8; calls++) {
          const id = `${name}-${calls}`
          made.push(id)
          await rpc.command(perform({ action: 'boot_notification', id, text: '' }), never)
        }
      }
      await Promise.all(['a', 'b', 'c', 'd', 'e'].map(station))
      const told = (await toldBy(rpc)).filter(each => typeof each === 'string')
      assert.deepEqual(told.toSorted(), made.toSorted())
      assert.ok(tap.connections >= 4, `${tap.connections} connections`)
    },
  )

  // In proportion to the real values: Ruby accepts a ping every 10 s and gets one every 30 s.
  for (const [keepaliveMs, isTaken, because] of [
    [1_500, true, 'three times as long as Ruby asks for is taken'],
    [250, false, 'half as long is not: what this test counts can be seen'],
  ] as const) {
    test(`${name}: an idle connection is kept by pings: ${because}`, { timeout: 120_000 }, async t => {
      const app = await openApp(t, { MIN_PING_INTERVAL_MS: '500' })
      const keep = keepUntil(end => t.after(end))
      const tap = keep(await openHttp2Tap(app.grpc))
      const rpc = keep(openTransport(tap.host, { keepaliveMs }))
      await rpc.command(perform({ action: 'silent' }), never)
      await tap.reaches(counts => counts.pings >= 8 || counts.goaways > 0)
      assert.equal(tap.goaways === 0, isTaken)
      if (!isTaken) return
      await rpc.command(perform({ action: 'silent' }), never)
      assert.equal(tap.connections, 1)
    })
  }
}
