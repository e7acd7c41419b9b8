/** What both gRPC clients do: our own, and the one by grpc-js. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { status } from '@grpc/grpc-js'
import type { GrpcSettings } from '../../../src/rpc/grpc/settings.ts'
import { defaultLimits, type OpenTransport } from '../../../src/rpc/transport.ts'
import { localRpcError, rpcError, testRpcContract } from '../../contract/rpc.ts'
import { GrpcStatus, ScriptedApp } from '../../support/app.ts'
import { keepUntil } from '../../support/keep.ts'
import { freePort } from '../../support/ports.ts'
import { openProxy } from '../../support/proxy.ts'
import { openMute } from '../../support/tcp.ts'
import { never, perform } from '../calls.ts'

type Open = (target: string, settings?: GrpcSettings) => OpenTransport

const within = { timeout: 30_000 }

async function startApps(t: TestContext, count: number): Promise<ScriptedApp[]> {
  const keep = keepUntil(end => t.after(end))
  const apps = await Promise.all(Array.from({ length: count }, async () => keep(await ScriptedApp.start())))
  return apps
}

async function startApp(t: TestContext): Promise<ScriptedApp> {
  const [app] = (await startApps(t, 1)) as [ScriptedApp]
  return app
}

const nowhere = async () => `127.0.0.1:${await freePort()}`
const counts = (apps: readonly ScriptedApp[]) => apps.map(app => app.received.all.length)

/** @param noConnectionInTime  what it says about a call that got no connection by its deadline */
export function testGrpcClient(name: string, openTransport: Open, noConnectionInTime: RegExp): void {
  function open(t: TestContext, target: string, settings: GrpcSettings = {}) {
    const rpc = openTransport(target, settings)
    t.after(() => rpc.close())
    return rpc
  }

  async function openBoth(t: TestContext) {
    const app = await startApp(t)
    return { app, rpc: open(t, app.host) }
  }

  testRpcContract(name, openBoth)
  testFaults(name, open, openBoth, noConnectionInTime)
  testEnd(name, open, openBoth)
  testList(name, open, noConnectionInTime)
}

type OpenIn = (t: TestContext, target: string, settings?: GrpcSettings) => OpenTransport
type OpenBoth = (t: TestContext) => Promise<{ readonly app: ScriptedApp; readonly rpc: OpenTransport }>

function testFaults(name: string, open: OpenIn, openBoth: OpenBoth, noConnectionInTime: RegExp): void {
  test(`${name}: a call fails as not sent when nobody listens`, async t => {
    const rpc = open(t, await nowhere())
    await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /ECONNREFUSED/))
    await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /ECONNREFUSED/))
    assert.equal(rpc.isConnected(), false)
  })

  test(`${name}: a call fails as not sent when the name does not exist`, async t => {
    const rpc = open(t, 'dns:///app.invalid:50051')
    await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /Name resolution failed/))
  })

  test(`${name}: a call may have run when the app is killed while it runs the call`, async t => {
    const { app, rpc } = await openBoth(t)
    const { arrived } = app.hold()
    const reply = rpc.command(perform, never)
    await arrived
    app.stop()
    await assert.rejects(reply, rpcError('unavailable', 'unknown', /./))
  })

  test(`${name}: calls succeed again when a killed app is back on its port`, async t => {
    const { app, rpc } = await openBoth(t)
    await rpc.command(perform, never)
    assert.equal(rpc.isConnected(), true)
    app.stop()
    await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /ECONNREFUSED/))
    await app.start()
    assert.equal(await rpc.problem(10_000), null)
    assert.equal((await rpc.command(perform, never)).status, 'success')
  })

  // Nine connections take 6 s. With grpc-js's default backoff, which grows to 2 minutes, they would take half of one.
  // With the growing pauses that gRPC recommends, nine attempts take some two minutes.
  test(`${name}: an absent app is dialled every second`, { timeout: 45_000 }, async t => {
    const port = await freePort()
    const rpc = open(t, `127.0.0.1:${port}`)
    assert.equal(rpc.isConnected(), false)
    for (let attempts = 0; attempts < 9; attempts++) {
      const mute = await openMute(t, { port })
      await mute.onConnection()
      mute.close()
    }
  })

  test(`${name}: a call is not sent when its session ends while it waits for a connection`, within, async t => {
    const app = await startApp(t)
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

  test(`${name}: a call ignores an http_proxy in the environment`, async t => {
    const before = process.env
    t.after(() => (process.env = before))
    process.env = { http_proxy: `http://${await nowhere()}` }
    const { rpc } = await openBoth(t)
    assert.equal((await rpc.command(perform, never)).status, 'success')
  })

  test(`${name}: a call may have run when the app does not reply by its deadline`, async t => {
    const { app, rpc } = await openBoth(t)
    await rpc.command(perform, never)
    app.hold()
    const call = rpc.command(perform, never, performance.now() + 100)
    await assert.rejects(call, rpcError('timeout', 'unknown', /Deadline/))
  })

  test(`${name}: a call times out as not sent when the port never speaks`, async t => {
    const mute = await openMute(t)
    const rpc = open(t, mute.host)
    const reply = rpc.command(perform, never, performance.now() + 100)
    await assert.rejects(reply, rpcError('timeout', 'notRun', noConnectionInTime))
    assert.notEqual(await rpc.problem(0), null)
  })

  test(`${name}: a call has not run when the server has no free thread`, async t => {
    const { app, rpc } = await openBoth(t)
    app.once(() => {
      throw new GrpcStatus(status.RESOURCE_EXHAUSTED, 'No free threads in thread pool')
    })
    await assert.rejects(rpc.command(perform, never), rpcError('exhausted', 'notRun', /No free threads/))
  })

  test(`${name}: a call has run when its reply is above the limit`, async t => {
    const { app, rpc } = await openBoth(t)
    app.once(() => ({ status: 'SUCCESS', transmissions: ['x'.repeat(5 * 2 ** 20)] }))
    await assert.rejects(rpc.command(perform, never), rpcError('application', 'ran', /rpc_max_call_recv_size/))
  })

  test(`${name}: a call is not sent when it is above the limit`, async t => {
    const app = await startApp(t)
    const rpc = open(t, app.host, { limits: { ...defaultLimits, sent: 1000 } })
    const large = { ...perform, data: 'x'.repeat(1000) }
    const isTooLarge = localRpcError('application', 'notRun', /rpc_max_call_send_size is 1000/)
    await assert.rejects(rpc.command(large, never), isTooLarge)
    await rpc.command(perform, never)
    assert.equal(app.received.all.length, 1)
  })
}

function testEnd(name: string, open: OpenIn, openBoth: OpenBoth): void {
  for (const target of ['one name', 'a list'] as const) {
    test(`${name}: abort fails a call as not sent when it waits for a connection, ${target}`, within, async t => {
      const mute = await openMute(t)
      const rpc = open(t, target === 'a list' ? `grpc-list://${mute.host},${mute.host}` : mute.host)
      const call = rpc.command(perform, never)
      await new Promise(setImmediate)
      rpc.abort()
      await assert.rejects(call, rpcError('aborted', 'notRun', /./))
    })
  }

  test(`${name}: close fails the calls after it, and may be called twice`, async t => {
    const { app, rpc } = await openBoth(t)
    await rpc.command(perform, never)
    await rpc.close()
    await rpc.close()
    await assert.rejects(rpc.command(perform, never), localRpcError('unavailable', 'notRun', /closed/))
    assert.notEqual(await rpc.problem(10_000), null)
    assert.equal(app.received.all.length, 1)
  })

  test(`${name}: close lets a call on the wire finish`, async t => {
    const { app, rpc } = await openBoth(t)
    const held = app.hold()
    const reply = rpc.command(perform, never)
    await held.arrived
    await rpc.close()
    held.release()
    assert.equal((await reply).status, 'success')
  })

  test(`${name}: a call reaches an app at one of the addresses of localhost`, async t => {
    const app = await startApp(t)
    const rpc = open(t, `localhost:${app.port}`)
    assert.equal((await rpc.command(perform, never)).status, 'success')
  })

  test(`${name}: problem tells why the app cannot be reached`, async t => {
    const { app, rpc } = await openBoth(t)
    assert.equal(await rpc.problem(10_000), null)
    app.stop()
    const away = open(t, await nowhere())
    const refused = rpcError('unavailable', 'notRun', /: No connection: .*ECONNREFUSED/)
    assert.ok(refused(await away.problem(300)), 'nobody listens')
    await away.close()
    assert.ok(rpcError('unavailable', 'notRun', /closed/)(await away.problem(0)), 'it is closed')
  })
}

function testList(name: string, open: OpenIn, noConnectionInTime: RegExp): void {
  const openList = (t: TestContext, hosts: readonly string[]) => open(t, `grpc-list://${hosts.join(',')}`)

  test(`${name}: calls go round robin when all servers of a list are connected`, within, async t => {
    const apps = await startApps(t, 3)
    const hosts = ['localhost', '127.0.0.1', 'localhost'].map((host, at) => `${host}:${apps[at]?.port}`)
    const rpc = openList(t, hosts)
    const reached = () => counts(apps).every(count => count > 0)
    while (!reached()) await rpc.command(perform, never)
    const before = counts(apps)
    for (let calls = 0; calls < 30; calls++) await rpc.command(perform, never)
    assert.deepEqual(
      counts(apps).map((count, at) => count - (before[at] ?? 0)),
      [10, 10, 10],
    )
  })

  test(`${name}: calls go to the other server of a list while one is down, then to both`, within, async t => {
    const apps = await startApps(t, 2)
    const [first, second] = apps as [ScriptedApp, ScriptedApp]
    const hosts = apps.map(app => app.host)
    const rpc = openList(t, hosts)
    while (!counts(apps).every(count => count > 0)) await rpc.command(perform, never)

    first.stop()
    let lost = 0
    const atFirst = first.received.all.length
    const before = second.received.all.length
    for (let calls = 0; calls < 20; calls++) await rpc.command(perform, never).catch(() => lost++)
    assert.ok(lost <= 1, `${lost} calls were lost`)
    assert.deepEqual([first.received.all.length - atFirst, second.received.all.length - before], [0, 20 - lost])
    assert.equal(rpc.isConnected(), true)

    await first.start()
    while (first.received.all.length === atFirst) await rpc.command(perform, never)
  })

  test(`${name}: a call fails at once with the reason when no server of a list is there`, async t => {
    const rpc = openList(t, [await nowhere(), await nowhere()])
    const refused = rpcError('unavailable', 'notRun', /ECONNREFUSED/)
    await assert.rejects(rpc.command(perform, never), refused)
    assert.ok(refused(await rpc.problem(0)), 'problem tells the same')
  })

  test(`${name}: calls go to the other server of a list when one never speaks`, within, async t => {
    const mute = await openMute(t)
    const app = await startApp(t)
    for (const hosts of [
      [mute.host, app.host],
      [app.host, mute.host],
    ]) {
      const rpc = openList(t, hosts)
      for (let calls = 0; calls < 5; calls++) await rpc.command(perform, never, performance.now() + 10_000)
      await rpc.close()
    }
    assert.equal(app.received.all.length, 10)
    const alone = openList(t, [mute.host, mute.host])
    const reply = alone.command(perform, never, performance.now() + 100)
    await assert.rejects(reply, rpcError('timeout', 'notRun', noConnectionInTime))
  })

  test(`${name}: close fails the calls after it at all servers of a list`, async t => {
    const apps = await startApps(t, 2)
    const hosts = apps.map(app => app.host)
    const rpc = openList(t, hosts)
    await rpc.command(perform, never)
    await rpc.close()
    await assert.rejects(rpc.command(perform, never), rpcError('unavailable', 'notRun', /closed/))
    assert.notEqual(await rpc.problem(10_000), null)
    assert.equal(
      counts(apps).reduce((sum, count) => sum + count),
      1,
    )
  })
}
