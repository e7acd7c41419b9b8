import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { status } from '@grpc/grpc-js'
import type { RpcError } from '../../../src/cable/rpc.ts'
import { rpcErrorForGrpcJs } from '../../../src/rpc/grpc-js/status.ts'
import { openGrpcJs } from '../../../src/rpc/grpc-js/channel.ts'
import { rpcErrorFor } from '../../../src/rpc/grpc/status.ts'
import { openGrpc } from '../../../src/rpc/grpc/channel.ts'
import { defaultLimits } from '../../../src/rpc/transport.ts'
import { rpcError, testRpcContract } from '../../contract/rpc.ts'
import { GrpcStatus, ScriptedApp } from '../../support/app.ts'
import { freePort } from '../../support/ports.ts'
import { openProxy } from '../../support/proxy.ts'
import { openMute } from '../../support/tcp.ts'
import { never, perform } from '../calls.ts'

const within = { timeout: 20_000 }

async function openApp(t: TestContext): Promise<ScriptedApp> {
  const app = await ScriptedApp.start()
  t.after(() => app.stop())
  return app
}

/** [implementation, what it says of a call for which there is no connection in time] */
const implementations = [
  ['grpc', openGrpc, /no connection in time/],
  ['grpc-js', openGrpcJs, /Waiting for LB pick/],
] as const
for (const [name, openTransport, tooLate] of implementations) {
  function open(t: TestContext, host: string, settings: Parameters<typeof openGrpc>[1] = {}) {
    const rpc = openTransport(host, settings)
    t.after(() => rpc.close())
    return rpc
  }

  async function openBoth(t: TestContext) {
    const app = await openApp(t)
    return { app, rpc: open(t, app.host) }
  }

  testRpcContract(name, openBoth)

  test(`${name}: nobody listens: the call was not sent`, async t => {
    const rpc = open(t, `127.0.0.1:${await freePort()}`)
    await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /ECONNREFUSED/))
    await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /ECONNREFUSED/))
    assert.equal(rpc.isConnected(), false)
  })

  test(`${name}: a name that does not exist: the call was not sent`, async t => {
    const rpc = open(t, 'dns:///app.invalid:50051')
    await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /Name resolution failed/))
  })

  test(`${name}: the app is killed while it runs a call: it may have run`, async t => {
    const { app, rpc } = await openBoth(t)
    const { arrived } = app.hold()
    const reply = rpc.command(perform, never)
    await arrived
    app.stop()
    await assert.rejects(reply, rpcError('unavailable', 'unknown', /./))
  })

  test(`${name}: an app that was killed is found again on its port`, async t => {
    const { app, rpc } = await openBoth(t)
    await rpc.command(perform, never)
    assert.equal(rpc.isConnected(), true)
    app.stop()
    await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /ECONNREFUSED/))
    await app.start()
    assert.equal(await rpc.problem(10_000), null)
    assert.equal((await rpc.command(perform, never)).status, 'success')
  })

  // Nine connections take 6 s; with grpc-js's own back-off, which grows to 2 minutes, they take half of one.
  test(`${name}: an absent app is looked for every second`, { timeout: 11_000 }, async t => {
    const port = await freePort()
    const rpc = open(t, `127.0.0.1:${port}`)
    assert.equal(rpc.isConnected(), false)
    for (let attempts = 0; attempts < 9; attempts++) {
      const mute = await openMute(t, { port })
      await mute.onConnection()
      mute.close()
    }
  })

  test(`${name}: a call whose session ends while it waits for a connection is not sent`, within, async t => {
    const app = await openApp(t)
    const proxy = await openProxy(app.port)
    t.after(() => proxy.close())
    proxy.hold('down')
    const rpc = open(t, `grpc-list://${proxy.host},${proxy.host}`)
    const session = new AbortController()
    const call = rpc.command(perform, session.signal)
    session.abort()
    proxy.release()
    await assert.rejects(call, rpcError('aborted', 'notRun', /./))
    assert.equal((await rpc.command(perform, never)).status, 'success')
    assert.equal(app.received.all.length, 1)
  })

  test(`${name}: an http_proxy in the environment is not for the app`, async t => {
    const before = process.env
    t.after(() => (process.env = before))
    process.env = { http_proxy: `http://127.0.0.1:${await freePort()}` }
    const { rpc } = await openBoth(t)
    assert.equal((await rpc.command(perform, never)).status, 'success')
  })

  test(`${name}: a slow call ends at its deadline, and may have run`, async t => {
    const { app, rpc } = await openBoth(t)
    await rpc.command(perform, never)
    app.hold()
    await assert.rejects(
      rpc.command(perform, never, performance.now() + 100),
      rpcError('timeout', 'unknown', /Deadline/),
    )
  })

  test(`${name}: a port that never speaks: the deadline ends a call that was not sent`, async t => {
    const mute = await openMute(t)
    const rpc = open(t, mute.host)
    const reply = rpc.command(perform, never, performance.now() + 100)
    await assert.rejects(reply, rpcError('timeout', 'notRun', tooLate))
    assert.notEqual(await rpc.problem(0), null)
  })

  test(`${name}: a server without a free thread has not run the call`, async t => {
    const { app, rpc } = await openBoth(t)
    app.once(() => {
      throw new GrpcStatus(status.RESOURCE_EXHAUSTED, 'No free threads in thread pool')
    })
    await assert.rejects(rpc.command(perform, never), rpcError('exhausted', 'notRun', /No free threads/))
  })

  test(`${name}: a reply over the limit is no lack of threads: the app has run the call`, async t => {
    const { app, rpc } = await openBoth(t)
    app.once(() => ({ status: 'SUCCESS', transmissions: ['x'.repeat(5 * 2 ** 20)] }))
    await assert.rejects(rpc.command(perform, never), rpcError('application', 'ran', /rpc_max_call_recv_size/))
  })

  test(`${name}: a call over the limit is not sent`, async t => {
    const app = await openApp(t)
    const rpc = open(t, app.host, { limits: { ...defaultLimits, sent: 1000 } })
    const large = { ...perform, data: 'x'.repeat(1000) }
    await assert.rejects(rpc.command(large, never), rpcError('application', 'notRun', /rpc_max_call_send_size is 1000/))
    await rpc.command(perform, never)
    assert.equal(app.received.all.length, 1)
  })

  test(`${name}: calls after the end are not sent; the end may come twice`, async t => {
    const { app, rpc } = await openBoth(t)
    await rpc.command(perform, never)
    await rpc.close()
    await rpc.close()
    await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /closed/))
    assert.notEqual(await rpc.problem(10_000), null)
    assert.equal(app.received.all.length, 1)
  })

  test(`${name}: the end lets a call on the wire finish`, async t => {
    const { app, rpc } = await openBoth(t)
    const held = app.hold()
    const reply = rpc.command(perform, never)
    await held.arrived
    await rpc.close()
    held.release()
    assert.equal((await reply).status, 'success')
  })

  test(`${name}: a host by its name is asked over all its addresses`, async t => {
    const app = await openApp(t)
    const rpc = open(t, `localhost:${app.port}`)
    assert.equal((await rpc.command(perform, never)).status, 'success')
  })

  test(`${name}: what keeps the app from being reached is told`, async t => {
    const { app, rpc } = await openBoth(t)
    assert.equal(await rpc.problem(10_000), null)
    app.stop()
    const away = open(t, `127.0.0.1:${await freePort()}`)
    assert.ok(
      rpcError('unavailable', 'notRun', /: No connection: .*ECONNREFUSED/)(await away.problem(300)),
      'nobody listens',
    )
    await away.close()
    assert.ok(rpcError('unavailable', 'notRun', /closed/)(await away.problem(0)), 'it is closed')
  })
}

/** [code, text, what is made of it, its outcome, because] */
type StatusRow = readonly [number, string, RpcError['code'], RpcError['outcome'], string]
const ofApp: readonly StatusRow[] = [
  [1, 'CANCELLED', 'unavailable', 'unknown', 'the app gave it up'],
  [2, 'NameError', 'application', 'unknown', "the gem's own fault"],
  [3, 'bad request', 'application', 'unknown', 'a verdict'],
  [4, 'Deadline exceeded', 'timeout', 'unknown', 'it was sent'],
  [8, 'No free threads in thread pool', 'exhausted', 'notRun', 'as the Ruby server says'],
  [8, 'SERVER: Received message larger than max (5 vs. 4)', 'application', 'notRun', "the call's, as it says too"],
  [12, 'The server does not implement the method', 'application', 'notRun', 'another service'],
  [13, 'boom', 'application', 'unknown', "the app's server says so"],
  [14, 'Cancelling all calls', 'unavailable', 'unknown', 'the Ruby server at its end'],
]
const ofGrpcJs: readonly StatusRow[] = [
  [1, 'Call cancelled', 'unavailable', 'unknown', 'the stream was reset by the other side'],
  [4, 'Deadline exceeded after 3.001s,remote_addr=127.0.0.1:1', 'timeout', 'unknown', 'it was sent'],
  [4, 'Deadline exceeded after 3.001s,LB pick: 0.1s,remote_addr=127.0.0.1:1', 'timeout', 'unknown', 'sent late'],
  [4, 'Deadline exceeded after 3s,Waiting for LB pick', 'timeout', 'notRun', 'no connection in time'],
  [4, 'Deadline exceeded after 3s,waiting for name resolution', 'timeout', 'notRun', 'no address in time'],
  [8, 'Received message larger than max (5 vs 4)', 'application', 'ran', "the reply's"],
  [8, 'Received message that decompresses to a size larger than 4', 'application', 'ran', "the reply's"],
  [8, 'Bandwidth exhausted or memory limit exceeded', 'unavailable', 'unknown', 'the stream was reset'],
  [13, 'Received RST_STREAM with code 2 (Internal server error)', 'unavailable', 'unknown', 'no status came'],
  [14, 'No connection established', 'unavailable', 'notRun', 'nobody knows why'],
  [14, 'round_robin: No connection established. Last error: connect', 'unavailable', 'notRun', 'nobody listens'],
  [14, 'Name resolution failed for target dns:app:50051', 'unavailable', 'notRun', 'no address'],
  [14, 'Stream refused by server', 'unavailable', 'notRun', 'RFC 9113 §8.7'],
  [14, 'Channel closed before call started', 'unavailable', 'notRun', 'we are at the end'],
  [14, 'Connection dropped', 'unavailable', 'unknown', 'it was on its way'],
  [14, 'read ECONNRESET', 'unavailable', 'unknown', 'it was on its way'],
  [14, 'Received HTTP status code 503', 'unavailable', 'unknown', 'a proxy, of which nothing is known'],
]
for (const [who, errorFor, rows] of [
  ['grpc', rpcErrorFor, ofApp],
  ['grpc-js', rpcErrorForGrpcJs, [...ofApp, ...ofGrpcJs]],
] as const) {
  for (const [code, details, expected, outcome, because] of rows) {
    test(`${who}: ${code} "${details}" is ${expected}, ${outcome}: ${because}`, () => {
      assert.ok(rpcError(expected, outcome, /./)(errorFor({ code, details })), 'it is another error')
    })
  }
}
